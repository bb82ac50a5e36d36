"""Every page and every designed state at once: the content rules of docs/architecture.md, valid HTML, and sense
without a style sheet or a script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest

from serving.web.rendering import ENVIRONMENT
from tests.conftest import ROOT
from tests.serving.states import PAGES, WITH_PEOPLE, state_pages

OWN_SCRIPT = '<script type="module" src="/static/upstream.js"></script>'
VNU = ROOT / ".tools" / "vnu" / "vnu.jar"
GRADING = (
    "low risk",
    "low-risk",
    "lower risk of",
    "safe to",
    "suicid",
    "because",
    "non-complian",
    "noncomplian",
    "normal",
)
PROTECTED = (
    "ethnic",
    "deprivation",
    "gender",
    "autism",
    "disability",
    "homeless",
    "housing",
    "interpreter",
    "religion",
    "language",
    "female",
    "male",
)
NOT_SYNTHETIC = ("old list and no model", "old person", "old status")
WITHOUT_MODEL = (
    *NOT_SYNTHETIC,
    "failed",
    "nothing published",
    "team with no list yet",
    "model card without a model",
    "status without a model",
    "sign in, nothing published",
)


@pytest.fixture(scope="module")
def pages(made_home, shared_home, client, tmp_path_factory, start_at, world):
    """Name to HTML: every page as a pharmacist of the north team sees it, then the designed states."""
    client.cookies.clear()
    sign_in = client.get("/sign-in").text
    assert client.post("/sign-in", data={"choice": "pharmacist:north"}).status_code == 303
    found = {name: client.get(path).text for name, path in PAGES.items()}
    client.cookies.clear()
    return found | {"sign in": sign_in} | state_pages(made_home, tmp_path_factory.mktemp("states"), start_at, world)


def words(page):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page))).lower()


def without(page, *patterns):
    for pattern in patterns:
        page = re.sub(pattern, " ", page, flags=re.DOTALL)
    return page


def test_each_designed_state_says_what_it_is_and_what_to_do(pages):
    said = {
        "nothing published": "no nightly run has been published",
        "team with no list yet": "until then use your usual list",
        "team not in the list": "its feed has stopped",
        "none of my teams": "ask the upstream administrator to check your teams",
        "model card without a model": "no model is loaded",
        "status without a model": "something needs attention",
        "no permission": "you are signed in as data scientist",
        "somebody who left": "not on this caseload now",
        "old list and no model": "this list is old",
        "old person": "no model is loaded. the list below was made before and still stands",
        "old status": "older than 2 days",
        "failed": "use the record itself and your usual list",
        "not permitted or not there": "the answer is the same for all three",
        "worklist, nobody matches": "nobody on this list matches every filter",
        "worklist, past the end": "no people on this page",
        "review refused": "the review was not recorded",
        "review not recorded yet": "you filled this in before, and it is not recorded yet",
        "review to correct": "what you save takes its place and keeps its day",
        "reviews recorded and undone": "earlier versions and what was undone (2)",
        "person with nothing recorded": "nothing is recorded in",
    }
    for name, sentence in said.items():
        assert sentence in words(pages[name]), name


def test_somebody_who_left_is_named_with_their_last_list_and_nothing_else_of_them(pages):
    page = words(pages["somebody who left"])
    assert re.search(r"\bn\d\d is not on the caseload now", page)
    assert "5 january 2026" in page and "left this caseload" in page
    assert "in 100" not in page and "overdue" not in page


def test_every_page_says_synthetic_and_that_judgement_comes_first(pages):
    for name, page in pages.items():
        assert ("<strong>Synthetic.</strong>" in page) == (name not in NOT_SYNTHETIC), name
        assert "does not replace clinical judgement" in words(page), name
        assert "test-1" in page or name in WITHOUT_MODEL, name


def test_every_list_and_person_says_how_old_its_data_is(pages):
    for name in WITH_PEOPLE:
        assert "list of 5 january 2026" in words(pages[name]), name


def test_no_page_calls_a_risk_low_a_reason_a_cause_or_a_missing_value_normal(pages):
    for name, page in pages.items():
        # What the model is not for is the one place that names these words.
        text = words(without(page, r'<section aria-labelledby="not-for">.*?</section>'))
        for phrase in GRADING:
            assert not re.search(rf"\b{phrase}", text), f"{name}: {phrase}"


def test_no_protected_characteristic_is_a_reason(pages):
    """Reasons name no protected characteristic. Elsewhere one appears only as a recorded need, an offered action, a
    gap to close, or a count of the equality view."""
    allowed = (
        r'<span class="up-need">.*?</span>',
        r"<select.*?</select>",
        r'<fieldset id="actions".*?</fieldset>',
        r'<section aria-labelledby="equality">.*?</section>',
        r'<section aria-labelledby="kinds">.*?</section>',
        r'<section aria-labelledby="gaps">.*?</section>',
        r'<ul class="up-gaps">.*?</ul>',
        r'<dl class="up-summary">.*?</dl>',
    )
    reasons = 0
    for name, page in pages.items():
        for block in re.findall(
            r'<ul class="up-reasons">.*?</ul>|<section aria-labelledby="reasons">.*?</section>', page, re.DOTALL
        ):
            reasons += 1
            assert not [w for w in (*PROTECTED, " age ", " sex ") if re.search(rf"\b{w.strip()}\b", words(block))], name
        text = words(without(page, *allowed))
        assert not [word for word in PROTECTED if re.search(rf"\b{word}", text)], name
    assert reasons > 5


def test_a_reason_without_records_never_says_that_all_is_well(pages):
    """docs/architecture.md rule 7, on the page of a person without records."""
    page = pages["person with nothing recorded"]
    blocks = re.findall(r'<details class="up-reason">.*?</details>', page, re.DOTALL)
    silent = [words(block) for block in blocks if "(" not in words(block) and ": not recorded" in words(block)]
    assert blocks and "nothing is recorded in the last twelve months" in words(page)
    for block in silent:
        block = block.replace("not all is in order", "")
        assert "in order" not in block and "up to date" not in block and "on time" not in block


def test_no_script_but_our_own_module_no_handler_no_inline_style_no_foreign_address(pages):
    """So nothing about anybody leaves the service, and the content security policy breaks no page."""
    for name, page in pages.items():
        own = [OWN_SCRIPT] if ENVIRONMENT.globals["nhsuk_script"] else []
        assert re.findall(r"<script.*?>.*?</script>", page, re.DOTALL) == own and page.count("<script") == len(own), (
            name
        )
        assert not re.findall(r"<[^>]*\s(?:on[a-z]+|style)\s*=", page) and "javascript:" not in page, name
        addresses = re.findall(r"(?:src|href|action)=[\"']([^\"']+)", page)
        assert addresses and all(address.startswith(("/", "?", "#")) for address in addresses), name


def test_without_a_style_sheet_headings_tables_and_pictures_hold_all_information(pages):
    """One h1, no level skipped, every table with a caption and header cells, every picture with words, every field
    with a label."""
    for name, page in pages.items():
        levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert levels.count(1) == 1 and all(b - a <= 1 for a, b in pairwise(levels)), name
        for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
            assert "<caption" in table and 'scope="col"' in table and 'scope="row"' in table, name
        assert all("aria-label='" in svg or 'aria-hidden="true"' in svg for svg in re.findall(r"<svg[^>]*>", page)), (
            name
        )
        for field in re.findall(r"<(?:select|input)[^>]*\bid=\"([^\"]+)\"[^>]*>", page):
            assert f'for="{field}"' in page, f"{name}: {field}"


def test_every_page_is_valid_html(pages, tmp_path):
    """By the Nu HTML checker, the one that validator.w3.org runs."""
    if not shutil.which("java") or not VNU.is_file():
        pytest.skip("the Nu HTML checker needs Java and `make vnu` (npm)")
    for place, page in enumerate(pages.values()):
        (tmp_path / f"{place:02d}.html").write_text(page, encoding="utf-8")
    wrong_page = "<!DOCTYPE html><html lang=en><title>wrong</title><p><table><tr><td>1</table></p>"
    (tmp_path / f"{len(pages):02d}.html").write_text(wrong_page, encoding="utf-8")
    done = subprocess.run(
        ["java", "-Xss4m", "-jar", str(VNU), "--format", "json", "--stdout", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["messages"]
    names = [*pages, "a page that is wrong"]
    wrong = {
        (names[int(Path(m["url"]).stem)], m["message"], m.get("extract", "")[:90])
        for m in found
        if m["type"] == "error"
    }
    assert {name for name, *_ in wrong if name == names[-1]}, "the checker finds a wrong page"
    assert [each for each in wrong if each[0] != names[-1]] == []
