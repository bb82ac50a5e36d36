"""What all commands share: options, reports, progress, and error messages.

Exit codes: 0 done. 1 it failed, or a check found a problem: standard error says what to do. 2 the command line was
not understood. Any error other than an ``UpstreamError`` is a bug: Python prints its traceback and ends with 1.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from features.errors import UpstreamError

DEFAULT_HOME = Path(".upstream")
Home = Annotated[Path, typer.Option("--home", envvar="UPSTREAM_HOME", help="Folder for everything that a run makes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object on standard output.")]

EXTRA_OF = {
    "mlflow": "training",
    "sklearn": "training",
    "shap": "training",
    "matplotlib": "training",
    "interpret": "training",
    "optuna": "training",
    "psycopg": "postgres",
    "notifications_python_client": "texting",
    "pyspark": "spark",
}
"""Packages that the base install leaves out, and the extra that installs each."""

_THE_MACHINE_REFUSED = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EISDIR, errno.ENOTDIR}


class CommandError(UpstreamError):
    """The command line asks for something that cannot be done."""


class MissingExtra(UpstreamError):
    """A command needs packages that this installation leaves out."""

    def __init__(self, package: str) -> None:
        extra = EXTRA_OF[package]
        super().__init__(
            f"{package} is not installed: this command needs the extra [{extra}]. "
            f"Install it with: pip install 'upstream[{extra}]'"
        )


class Commands(TyperGroup):
    """The commands. An ``UpstreamError`` becomes its message on standard error and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UpstreamError as error:
            problem = str(error)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRA_OF:
                raise
            problem = str(MissingExtra(package))
        except OSError as error:
            if error.errno not in _THE_MACHINE_REFUSED:
                raise
            problem = f"{error.filename or 'a file'}: {error.strerror}. Check the folder, its owner and the free space."
        typer.echo(problem, err=True)
        raise typer.Exit(1)


def command_group(help: str) -> typer.Typer:
    """A group of commands. It prints its help if no command is given."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def report(result: dict[str, Any], as_json: bool, lines: Callable[[], list[str]]) -> None:
    """Prints a result on standard output: one JSON object, or lines for a person."""
    typer.echo(json.dumps(result, indent=2, default=str) if as_json else "\n".join(lines()))


def count_of(stage: str, done: int, total: int) -> None:
    """Shows progress within a stage on one line, which a terminal overwrites. Without a terminal, shows only the
    first and the last count.
    """
    line = f"{stage}: {done:,} of {total:,}"
    if os.isatty(2):
        typer.echo(f"\r\x1b[K{line}", err=True, nl=done == total)
    elif done in (0, total):
        typer.echo(line, err=True)


@dataclass(frozen=True)
class DoctorFinding:
    """One finding of ``doctor``. ``problems`` holds every problem found, not only the first."""

    what: str
    ok: bool
    found: str
    problems: tuple[str, ...] = ()
    do: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"what": self.what, "ok": self.ok, "found": self.found, "problems": list(self.problems), "do": self.do}

    def lines(self) -> list[str]:
        """One line, then one for each problem, then what to do."""
        head = f"{'ok  ' if self.ok else 'MEND'} {self.what}: {self.found}"
        todo = [f"       do: {self.do}"] if self.do else []
        return [head, *(f"       - {problem}" for problem in self.problems), *todo]


def looked_at(what: str, look: Callable[[], str], do: str) -> DoctorFinding:
    """Runs one check of ``doctor``. Each line of an error after the first is a separate problem."""
    try:
        return DoctorFinding(what, True, look())
    except UpstreamError as error:
        first, *others = str(error).splitlines()
        return DoctorFinding(what, False, first, tuple(line.strip().removeprefix("- ") for line in others), do)
    except Exception as error:  # noqa: BLE001 - one broken part must not hide what the others are like
        return DoctorFinding(what, False, f"{type(error).__name__}: {error}", (), do)


class Steps:
    """A numbered progress display on standard error: what is happening, and how long each step took."""

    def __init__(self, total: int) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.total, self.number, self.began = total, 0, time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Runs one step. Call the yielded function with the outcome. On a terminal a spinner turns while the step
        runs.
        """
        self.number += 1
        head = f"[{self.number}/{self.total}] {name}"
        outcome: list[str] = []
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(head):
                yield outcome.append
        else:
            self.console.print(f"{head} ...", markup=False, soft_wrap=True)
            yield outcome.append
        ended = f": {outcome[-1]}" if outcome else ""
        self.console.print(f"{head}{ended} ({time.monotonic() - began:.1f} s)", markup=False, soft_wrap=True)

    def note(self, words: str) -> None:
        """Prints a line below the current step."""
        self.console.print(f"      {words}", markup=False, soft_wrap=True)

    def end(self, words: str) -> None:
        """Prints the last line, with the total time of all steps."""
        self.console.print(f"{words} ({time.monotonic() - self.began:.0f} s in all)", markup=False, soft_wrap=True)
