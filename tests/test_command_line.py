"""The command line as a whole: verbs, choices, exit codes, what becomes a message and what keeps its traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from importlib.metadata import version

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import upstream
from features import Records
from features.console import EXTRA_OF, CommandError, Commands, looked_at
from features.errors import UpstreamError
from features.settings import NightlySettings
from serving.identity.callers import Role
from serving.storage.database import DatabaseUnavailable, UnscopedQuery
from tests.conftest import ROOT
from training.cli import STUDIES, SplitChoice
from training.cross_validation import KINDS
from training.settings import Settings


def verbs(group=None, path: tuple[str, ...] = ()):
    """Every verb with the words that call it."""
    group = group or typer.main.get_command(upstream.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    "words,command", list(verbs()), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_verb_explains_itself(words, command):
    shown = CliRunner().invoke(upstream.app, [*words, "--help"])
    assert shown.exit_code == 0
    assert f"Example: upstream {' '.join(words)}" in " ".join(shown.output.split())
    unexplained = [p.name for p in command.params if not getattr(p, "help", None)]
    assert not unexplained


def failing_with(error: BaseException):
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None: ...

    @app.command()
    def fail() -> None:
        raise error

    return CliRunner().invoke(app, ["fail"])


@pytest.mark.parametrize(
    "error,message",
    [
        (CommandError("say which: --run or --version"), "say which: --run or --version"),
        (DatabaseUnavailable("the database does not answer"), "the database does not answer"),
        (ModuleNotFoundError("No module named 'mlflow'", name="mlflow.client"), "pip install 'upstream[training]'"),
        (OSError(errno.ENOSPC, "No space left on device", "store"), "store: No space left on device"),
    ],
)
def test_what_a_person_can_put_right_is_a_message_and_exit_code_1(error, message):
    done = failing_with(error)
    assert done.exit_code == 1
    assert message in done.stderr
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize(
    "error",
    [
        UnscopedQuery("a query on people without a scope"),
        ValueError("a mistake"),
        ModuleNotFoundError("No module named 'featurs'", name="featurs"),
        OSError(errno.EINVAL, "Invalid argument"),
    ],
)
def test_a_mistake_in_the_program_keeps_its_traceback(error):
    """A breach of the choke point must never print as a user's slip."""
    assert failing_with(error).exception is error


def test_every_error_class_is_a_user_error_or_listed_as_a_programming_error():
    import serving.app  # noqa: F401
    import training.train  # noqa: F401

    ours = {
        "UnscopedQuery",  # a query that forgot its scope
        "Unstampable",  # a kernel whose names cannot be followed
        "SpecError",  # a feature that its author wrote wrongly
        "Unreadable",  # what is wrong with the body of a request
        "Odd",  # a table of a request that the usual steps must read
        "NamedTwice",  # the same: a name that is there twice
        "Problem",  # an answer of the service, never of the command line
        "ChangedMeanwhile",  # the same: a form of a page that somebody else has changed
        "SignInNeeded",  # the same
        "Refused",  # the same: a token of an identity provider
        "KeysUnavailable",  # the same: its keys cannot be fetched
        "NoRole",  # the same: somebody who signed in and has no role
        "NotSaved",  # the same: a filter that cannot be saved
        "PersonNotVisible",  # the same: a report about somebody whom the caller may not see
        "CaseNotVisible",  # the same: a case of a blind rating that is of another team
        "RatingUnclear",  # the same: an answer that is no rating
        "NoDate",  # the same: three fields of a form that hold no date
        "CallRefused",  # raised by the Python client, which runs in programs of others
        "Unreachable",  # the same
        "WorkerEnded",  # caught where a request is scored: another process, or the service, scores it
        "NotDone",  # the same: a scoring process that could not
        "_Declined",  # the same: a body that the strict reader must read
        "_NotPlain",  # the same: a day that is read with more care
        "NotADate",  # caught where a row is set aside
        "UnreadableCsv",  # caught where the problems of all files are put together
        "NotAnNhsNumber",  # caught where a row is set aside
    }
    found = {
        kind.__name__
        for kind in every_subclass(Exception)
        if kind.__module__.split(".")[0] in ("features", "models", "training", "serving")
        and not issubclass(kind, UpstreamError)
    }
    assert found <= ours, found - ours


def every_subclass(kind: type):
    for sub in kind.__subclasses__():
        yield sub
        yield from every_subclass(sub)


@pytest.mark.parametrize(
    "words,choices",
    [
        (["token", "--role", "nurse"], tuple(Role)),
        (["score", "--ranking", "age"], ("risk", "gaps", "blended")),
        (["train", "--split", "half"], tuple(SplitChoice)),
        (["features", "build", "--store", "s", "--out", "o", "--engine", "dask"], ("local", "spark")),
    ],
)
def test_a_wrong_choice_lists_the_right_ones(words, choices):
    done = CliRunner().invoke(upstream.app, words, terminal_width=200)
    assert done.exit_code == 2
    assert all(choice in done.stderr for choice in choices)


def test_the_studies_of_the_command_line_are_those_of_training():
    assert tuple(STUDIES) == KINDS


def test_the_nightly_run_knows_every_section_of_the_settings():
    assert set(NightlySettings.model_fields) == set(Settings.model_fields)


def test_version():
    done = CliRunner().invoke(upstream.app, ["--version"])
    assert (done.exit_code, done.output.strip()) == (0, f"upstream {version('upstream')}")


def test_help_loads_none_of_the_heavy_packages():
    """Counted in modules, not in seconds: the machine may be busy."""
    code = (
        "import sys; sys.argv = ['upstream', '--help']; import upstream\n"
        "try: upstream.main()\n"
        "except SystemExit: pass\n"
        "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    heavy = {"numpy", "pandas", "pyarrow", "numba", "lightgbm", "sqlalchemy", "fastapi", "pydantic", *EXTRA_OF}
    assert not loaded & heavy


def test_doctor_names_every_problem_of_the_records(tmp_path):
    """Not "8 problems in the records:" and nothing after it."""
    store = tmp_path / "store"
    Records.from_frames({"patients": pd.DataFrame({"patient_id": ["a"]})}).save(store)
    for name in ("contacts", "supplies"):
        pd.DataFrame({"patient_id": ["a"]}).to_parquet(store / f"{name}.parquet")
    done = CliRunner().invoke(upstream.app, ["doctor", "--home", str(tmp_path)])
    assert done.exit_code == 1
    lines = done.output.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("MEND store:"))
    problems = [line for line in lines[first + 1 :] if line.startswith("       - ")]
    assert f"{len(problems)} problems in the records" in lines[first]
    assert any("contacts" in line for line in problems) and any("supplies" in line for line in problems)


def test_doctor_names_the_class_of_an_error_that_nobody_expected():
    def broken() -> str:
        raise ZeroDivisionError("division by zero")

    assert looked_at("sums", broken, "tell us").found == "ZeroDivisionError: division by zero"


def test_doctor_works_without_the_training_extra(tmp_path):
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('mlflow', 'sklearn', 'shap', 'matplotlib', 'optuna', 'interpret'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "def find_spec(name, package=None):\n"
        "    try: return found(name, package)\n"
        "    except ModuleNotFoundError: return None\n"
        "importlib.util.find_spec = find_spec\n"
        f"sys.argv = ['upstream', 'doctor', '--home', {str(tmp_path)!r}]\n"
        "import upstream; upstream.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # the home is empty
    assert "ok   training extra: not installed" in done.stdout
    assert "ok   champion: not checked" in done.stdout
    assert "Traceback" not in done.stderr
