"""The evidence file: every number is looked up, every control names a test that exists, and a change by hand is
found."""

import json
import re
import shutil
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from training.errors import EvidenceError
from training.evidence.build import DOCUMENTS, TEMPLATES, build, sources_of
from training.evidence.references import Sources, fill, shown
from training.evidence.tables import TABLES
from training.registry import tracking
from upstream import app


@pytest.fixture
def sources(trained, small_settings):
    home, result = trained
    store = tracking.open_store(home, small_settings.tracking)
    version = store.version(tracking.CHALLENGER)
    return sources_of(store, result.run_id, {**version.tags, "version": version.version})


@pytest.fixture
def evidence(sources):
    return build(sources)


def test_every_document_is_there_and_says_synthetic(evidence):
    assert {f"{name}.md" for name in DOCUMENTS} | {"open_questions.md", "evidence.html", "evidence.json"} == set(
        evidence.files
    )
    for name, text in evidence.files.items():
        assert "ynthetic" in text, name
        assert "{{" not in text, name
        assert "clinical performance" not in text.lower(), name


def test_the_numbers_are_those_of_the_run(evidence, trained):
    pair = trained[1].evaluation.pairs["disengagement_180"]
    auroc = pair.model.auroc.value
    assert f"{auroc:.3f}" in evidence.files["tripod_ai.md"]
    assert f"{auroc:.2f}" in evidence.files["transparency_record.md"]
    record = json.loads(evidence.files["evidence.json"])
    assert record["run"]["run_id"] == trained[1].run_id
    assert record["numbers"]["metric:headline.disengagement.contenders.model.auroc|2"].startswith(f"{auroc:.2f}")


def test_all_27_items_34_questions_and_every_hazard_are_answered_or_open(evidence):
    items = {int(n) for n in re.findall(r"^\| (\d+)[a-g]? \|", evidence.files["tripod_ai.md"], re.M)}
    assert items == set(range(1, 28))
    questions = re.findall(r"^\| ([DE]\d+) \|", evidence.files["probast_ai.md"], re.M)
    assert questions == [f"D{n}" for n in range(1, 17)] + [f"E{n}" for n in range(1, 19)]
    hazards = re.findall(r"^\| (H\d+) \|(.*)\|$", evidence.files["hazard_log.md"], re.M)
    assert [name for name, _ in hazards] == [f"H{n}" for n in range(1, 38)]
    assert all(".py::test_" in row for _, row in hazards)


def test_open_questions_for_the_deployer_are_listed_and_not_invented(evidence):
    listed = evidence.files["open_questions.md"]
    for question in (
        "approvals, or why none is needed",
        "funders and their role",
        "who was involved, and what changed because of it",
    ):
        assert f"- {question}\n" in listed
    assert len(evidence.open) > 30


@pytest.mark.parametrize("outcome", ["admission", "disengagement"])
def test_evidence_of_a_model_of_one_outcome_says_that_the_other_is_missing(sources, outcome):
    pairs = {name: pair for name, pair in sources.evaluation.pairs.items() if pair.outcome == outcome}
    headline = {name: found for name, found in sources.figures["headline"].items() if name == outcome}
    plain = {name: found for name, found in sources.figures["pairs"].items() if name in pairs}
    one = replace(
        sources,
        evaluation=sources.evaluation.model_copy(update={"pairs": pairs}),
        figures={**sources.figures, "pairs": plain, "headline": headline},
    )
    absent = "disengagement" if outcome == "admission" else "admission"
    record = build(one).files["transparency_record.md"]
    assert f"{absent} is not part of this model" in record
    assert f"{outcome} is not part of this model" not in record


def test_a_number_edited_by_hand_is_found_by_file_and_line(evidence, tmp_path):
    evidence.write(tmp_path)
    assert evidence.differences(tmp_path) == []
    card = tmp_path / "model_card.md"
    text = card.read_text()
    number = re.search(r"\d\.\d{3} \(", text[text.index("How well it does") :])
    card.write_text(text.replace(number[0], f"0.9{number[0][3:]}", 1))
    [found] = evidence.differences(tmp_path)
    assert found.startswith("model_card.md, line ")
    assert "should be" in found
    (tmp_path / "hazard_log.md").unlink()
    assert "hazard_log.md: missing; run upstream evidence to write it" in evidence.differences(tmp_path)


def templates_with(tmp_path, name, change):
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    path = tmp_path / "templates" / f"{name}.md"
    path.write_text(change(path.read_text()))
    return tmp_path / "templates"


def test_a_number_typed_into_a_template_fails_the_build(sources, tmp_path):
    edited = templates_with(tmp_path, "model_card", lambda t: t.replace("{{metric:embargo_days}} days", "120 days"))
    with pytest.raises(EvidenceError, match=r"model_card.md, line \d+: the number 120 was typed in"):
        build(sources, edited)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("{{metric:headline.admission.contenders.model.aurok}}", "points nowhere at 'aurok'"),
        ("{{metric:headline.admission.contenders.model.auroc|nicely}}", "is no format"),
        ("{{test:serving/auditlog/test_log.py::test_that_never_was}}", "there is no test"),
        ("{{table:of_contents}}", "no table of_contents"),
        ("{{guess:auroc}}", "is no kind of reference"),
    ],
)
def test_a_reference_that_leads_nowhere_fails_the_build(sources, reference, says):
    with pytest.raises(EvidenceError, match=re.escape(says)):
        fill(f"about {reference}", sources, "x.md")


def test_every_named_test_exists_in_every_template(sources):
    named = [fill(path.read_text(), sources, path.name).count(".py::test_") for path in TEMPLATES.glob("*.md")]
    assert sum(named) > 60


def test_an_undefined_figure_says_so():
    assert shown(None, None, "x") == "not defined on these data"
    assert shown({"value": None, "low": None, "high": None}, "2", "x") == "not defined on these data"
    assert shown({"value": 0.5, "low": None, "high": None}, "percent", "x") == "50%"
    assert shown(12345, "count", "x") == "12,345"


def test_tables_say_what_a_run_did_not_examine(sources):
    nothing = {"oracle": None, "across_teams": None, "capacity": None, "stability": None}
    pairs = {name: pair.model_copy(update=nothing) for name, pair in sources.evaluation.pairs.items()}
    bare = sources.evaluation.model_copy(update={"pairs": pairs, "drift": None})
    for name in ("regret", "heterogeneity", "capacity", "stability", "drift"):
        assert not TABLES[name](bare).startswith("|"), name
    Sources(bare, {}, {}, {}, {}, TABLES)


def test_upstream_evidence_writes_it_and_refuses_a_changed_file(trained, tmp_path):
    home, out = str(trained[0]), tmp_path / "out"
    command = CliRunner()
    written = command.invoke(app, ["evidence", "--home", home, "--out", str(out), "--json"])
    assert json.loads(written.stdout)["documents"] == 7
    assert command.invoke(app, ["evidence", "--home", home, "--out", str(out), "--check"]).exit_code == 0
    card = out / "model_card.md"
    card.write_text(card.read_text().replace("(", "[", 1))
    changed = command.invoke(app, ["evidence", "--home", home, "--out", str(out), "--check"])
    assert changed.exit_code == 1
    assert "model_card.md, line" in changed.stderr


def test_upstream_evaluate_finds_the_report_and_asks_for_one_model(trained, tmp_path):
    home, result = str(trained[0]), trained[1]
    command = CliRunner()
    found = command.invoke(app, ["evaluate", "--home", home, "--run", result.run_id, "--out", str(tmp_path), "--json"])
    assert json.loads(found.stdout)["data_hash"] == result.evaluation.data_hash
    assert (tmp_path / "evaluation.html").is_file()
    both = command.invoke(app, ["evaluate", "--home", home, "--run", "x", "--version", "1"])
    assert (both.exit_code, "give either --run or --version" in both.stderr) == (1, True)
