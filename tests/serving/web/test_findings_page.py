"""docs/pharmacist.md names a test for each finding of a pharmacist's look at the pages; findings that no other file
tests are tested here."""

from __future__ import annotations

import logging
import re

import pytest

from serving.observability.logs import NAME, logger, write_log
from tests.conftest import ROOT
from tests.serving.security.test_security_page import claims, missing
from tests.serving.web.test_review_pages import words

PAGE = (ROOT / "docs" / "pharmacist.md").read_text(encoding="utf-8")


def test_every_finding_names_tests_that_exist():
    rows = claims(PAGE)
    found = [re.match(r"\| (\d+) \|", row) for row in rows]
    assert [int(one[1]) for one in found if one] == [*range(1, 11), *range(1, 13)], "ten defects, twelve missing things"
    assert [row for row in rows if "::" not in row and not row.startswith(("| finding", "| need", "|--"))] == []
    assert missing(PAGE) == []


def test_a_count_of_people_with_a_safety_gap_says_which_it_counts(browser, client, as_role):
    pharmacist = browser("pharmacist:north")
    whole = client.get("/v1/teams/north/worklist?limit=500", headers=as_role("pharmacist")).json()
    pressing = {
        row["patient_id"]
        for row in whole["items"]
        for gap in row["gaps"]
        if gap["safety"] and gap["severity"] in ("critical", "high")
    }
    said = f"With a critical or high safety gap {len(pressing)}"
    assert said in words(pharmacist.get("/teams/north/overview").text)
    assert said in words(pharmacist.get("/").text)


def test_a_persons_page_begins_with_medicines_and_what_is_known_of_them(browser):
    page = browser("pharmacist:north").get("/patients/N00").text
    heads = [re.sub("<[^>]+>", "", head) for head in re.findall(r"<h2[^>]*>(.*?)</h2>", page)]
    assert heads[:3] == ["Medicines", "Who has this person", "Overdue or missing care"]
    top = words(page[page.index('id="medicines"') : page.index('id="work"')])
    columns = "Medicine Dose Form Prescriber Since Next supply or injection"
    assert columns in top and "Clozapine" in top
    assert re.search("Age .+ Diagnoses .+ Allergies .+ Named worker .+ Carer ", top)


def test_what_a_row_leaves_out_is_a_link(browser):
    page = browser("pharmacist:north").get("/teams/north?limit=500").text
    left_out = re.findall(r"(<[^<>]+>)\s*(?:and )?\d+ (?:more|less urgent)<", page)
    assert left_out and all("href=" in tag or "up-folded" in tag for tag in left_out), left_out


@pytest.fixture
def own_log():
    """What logs write to is put back."""
    root, ours = logging.getLogger(), logging.getLogger(NAME)
    before = root.handlers, root.level, ours.level
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_a_log_that_goes_to_a_file_as_the_demos_does_leaves_the_terminal_alone(own_log, tmp_path, capfd):
    write_log(tmp_path / "service.log")
    logger().info("request", status=200)
    assert "request" in (tmp_path / "service.log").read_text()
    assert capfd.readouterr() == ("", "")
