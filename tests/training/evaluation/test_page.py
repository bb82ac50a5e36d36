"""The report as a page: whole in itself, says synthetic, every picture drawn, and found again by run or version."""

import json
import re

import numpy as np
import pytest

from training.errors import ArtefactAbsent, NoRun
from training.evaluation import page, report
from training.evaluation.plots import draw
from training.evaluation.schema.evaluation import Evaluation
from training.evidence import tables
from training.fitting.contenders import TOO_FEW, Contenders
from training.registry import tracking
from training.registry.find_report import find


@pytest.fixture(scope="module")
def written(trained, small_settings):
    home, result = trained
    folder = home / "artefacts" / result.run_id / "artifacts" / "evaluation"
    return (folder / page.PAGE_NAME).read_text(), json.loads((folder / page.JSON_NAME).read_text())


def test_the_page_loads_nothing_from_anywhere(written):
    text, _ = written
    assert not re.search(r"<(script|link|iframe)\b", text)
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", text):
        assert address.startswith(("#", "data:image/png;base64,")), address
    assert "http" not in re.sub(
        r"http://(www\.w3\.org|purl\.org|creativecommons\.org)", "", re.sub(r"base64,[^\"]*", "", text)
    )


def test_it_says_synthetic_at_the_top_in_every_picture_and_never_clinical_performance(written):
    text, _ = written
    assert "Synthetic data. None of these people exist" in text
    assert text.count("synthetic data</text>") >= text.count("<svg") - 1
    assert "clinical performance" not in text.lower()
    assert "low risk" not in text.lower()


def test_every_question_has_its_picture(written):
    text, evaluation = written
    for says in (
        "Smooth calibration",
        "Decision curves",
        "What came first by day",
        "Share of events reached",
        "listed at least so many days",
        "Risks by refits",
        "by group, admission",
        "Beeswarm",
        "Waterfall",
    ):
        assert re.search(rf'<figure role="img" aria-label="[^"]*{says}', text), says
    assert len(evaluation["pairs"]["admission_90"]["curve"]) == 25


def test_numbers_on_the_page_are_those_of_the_json(written):
    text, evaluation = written
    for pair in evaluation["pairs"].values():
        assert page.figure(pair["contenders"]["model"]["auroc"]) in text
        assert page.figure(pair["oracle"]["regret"]) in text
        assert (
            page.percent(pair["capacity"]["slots"]["10"]["with_cool_off"]["captured"]) in text or pair["horizon"] != 90
        )


def test_suppressed_groups_show_no_number(written):
    text, evaluation = written
    hidden = [
        level
        for pair in evaluation["pairs"].values()
        for part in pair["groups"]
        for level in part["levels"]
        if level["suppressed"]
    ]
    assert hidden
    assert all(level.keys() == {"level", "suppressed"} for level in hidden)
    assert '<td colspan="9" class="small">suppressed</td>' in text


def test_a_report_is_found_by_run_by_version_and_by_alias(trained, small_settings, tmp_path):
    home, result = trained
    store = tracking.open_store(home, small_settings.tracking)
    for name, asked in (
        ("a", {}),
        ("b", {"run": result.run_id}),
        ("c", {"version": result.version}),
        ("d", {"version": "challenger"}),
    ):
        found = find(store, tmp_path / name, **asked)
        assert found.run_id == result.run_id
        assert found.page.is_file()
        assert found.evaluation == result.evaluation
    with pytest.raises(NoRun, match="no version 99"):
        find(store, tmp_path / "e", version="99")
    with pytest.raises(ArtefactAbsent, match="has no evaluation"):
        find(store, tmp_path / "f", run="0" * 32)


def test_the_page_of_an_older_run_has_the_new_parts_left_out(trained, written):
    """Its evaluation.json has none of their fields."""
    plain = trained[1].evaluation.as_json()
    for pair in plain["pairs"].values():
        del pair["cumulative_incidence"], pair["stability"]["net_benefit"]
    older = Evaluation.model_validate_json(json.dumps(plain))
    pictures = draw.as_html(draw.draw(older))
    assert not [name for name in pictures if name.startswith("incidence")]
    assert "refit" not in pictures["decision_curves"]
    shown = page.render(older, pictures)
    assert "What if somebody leaves first?" not in shown and "that beat both" not in shown
    assert "What if somebody leaves first?" in written[0] and "that beat both" in written[0]
    assert "not evaluated in this run" in tables.competing_events(older)


def test_a_control_that_could_not_be_fitted_is_reported_as_not_judged(trained):
    """Everywhere a control is shown: the page, the terminal and the metrics of the run."""
    plain = trained[1].evaluation.as_json()
    nothing = np.zeros(3)
    scores = Contenders({"admission_28": nothing, "admission_90": nothing}, {"admission_90": nothing}, {})
    assert list(scores.probabilities("admission_28")) == ["model"]
    assert list(scores.not_judged("admission_28")) == ["logistic", "boosting", "survival"]
    assert list(scores.not_judged("admission_90")) == ["boosting", "survival"]
    for pair in plain["pairs"].values():
        assert pair["not_judged"] == {}
    pair = plain["pairs"]["admission_28"]
    pair["not_judged"] = scores.not_judged("admission_28")
    for who in pair["not_judged"]:
        del pair["contenders"][who]
    evaluation = Evaluation.model_validate(plain)
    shown = page.render(evaluation, {})
    assert shown.count(TOO_FEW) == 5  # two controls in the first table, and each of three among the contenders
    assert sum(TOO_FEW in line for line in report.lines(evaluation)) == 3
    assert "admission_28/logistic_auroc" not in report.flat_metrics(evaluation)
    assert "admission_28/survival_auroc" not in report.flat_metrics(evaluation)
    assert {"admission_90/logistic_auroc", "admission_90/survival_auroc"} <= report.flat_metrics(evaluation).keys()
