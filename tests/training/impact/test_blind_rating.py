"""The blind rating: 30 cases, half listed and half at random, rated in the file or on the page."""

from __future__ import annotations

import csv

import pytest

from models.blind_rating import read_cases
from tests.training.impact.test_silent_report import run
from training.impact.blind_rating import RatingRefused, read_rating, write_rating


@pytest.fixture
def folder(tmp_path):
    """A home's rating that was just drawn."""
    folder = tmp_path / "silent" / "rating"
    write_rating(run(True), folder, seed=4)
    return folder


def fill_in(folder, answer):
    """Writes ``answer(row, is listed)`` into the file, by hand as it were."""
    cases = folder / "rating.csv"
    rows = list(csv.DictReader(cases.read_text().splitlines()))
    listed = set(run(True).scores["patient_id"][:90])
    for number, row in enumerate(rows):
        row |= answer(number, row["patient_id"] in listed)
    with cases.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0].keys())
        out.writeheader()
        out.writerows(rows)


def on_the_page(folder, worth, rater="Ada"):
    """A rating of each case on the page; ``worth`` takes the person and gives the number."""
    return [
        {"draw": case.draw, "case": case.number, "rater": rater, "worth": worth(case.patient_id), "known": False}
        for case in read_cases(folder.parent.parent)
    ]


def test_the_file_mixes_listed_and_random_cases_without_marking_them_and_is_read_back(folder):
    text = (folder / "rating.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len({row["patient_id"] for row in rows}) == 30 and "listed" not in text and "0.15" not in text
    assert len({row["patient_id"] for row in rows} & set(run(True).scores["patient_id"][:90])) == 15
    assert read_rating(folder) is None  # nothing is rated yet
    fill_in(
        folder,
        lambda n, listed: {
            "worth_a_review_0_to_10": str((8 if listed else 3) + n % 2),
            "already_known_yes_no": "No" if listed else "yes",
        },
    )
    found = read_rating(folder)
    assert found["rated"] == 30 and found["raters"] == 1 and found["difference"]["low"] > 3
    assert (found["known_of_listed"], found["known_of_random"]) == (0.0, 1.0)
    with pytest.raises(RatingRefused, match="drawn once"):
        write_rating(run(True), folder, seed=5)


def test_the_order_of_the_cases_does_not_tell_who_was_listed(tmp_path):
    listed = set(run(True).scores["patient_id"][:90])
    among_first = []
    for seed in range(20):
        cases, _ = write_rating(run(True), tmp_path / str(seed), seed)
        rows = list(csv.DictReader(cases.read_text().splitlines()))
        among_first.append(sum(row["patient_id"] in listed for row in rows[:15]))
    assert 6.5 < sum(among_first) / 20 < 8.5 and len(set(among_first)) > 2  # 15 of 30 are listed, so 7.5 by chance


def test_ratings_of_the_page_count_the_newest_of_a_rater_and_a_case_with_two_raters_once(folder):
    listed = set(run(True).scores["patient_id"][:90])
    first = on_the_page(folder, lambda _: 0)
    ada = on_the_page(folder, lambda person: 8 + len(person) % 2 if person in listed else 4)
    sam = on_the_page(folder, lambda person: 6 if person in listed else 2, "Sam")
    other_draw = [one | {"draw": "another", "worth": 10} for one in ada]
    found = read_rating(folder, [*first, *ada, *sam, *other_draw])
    assert found["rated"] == 30 and found["raters"] == 2
    assert found["random"] == 3.0 and found["listed"] == pytest.approx((6 + 9) / 2, abs=0.5)


def test_an_erased_person_is_no_longer_rated(folder):
    ratings = on_the_page(folder, lambda _: 5)
    gone = ratings[0]["case"]
    lines = (folder / "rating.csv").read_text().splitlines()
    (folder / "rating.csv").write_text("\n".join(line for line in lines if not line.startswith(f"{gone},")) + "\n")
    assert read_rating(folder, ratings)["rated"] == 29


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"worth_a_review_0_to_10": "11"}, "no whole number from 0 to 10"),
        ({"worth_a_review_0_to_10": "-1"}, "no whole number from 0 to 10"),
        ({"worth_a_review_0_to_10": "7,5"}, "no whole number from 0 to 10"),
        ({"worth_a_review_0_to_10": "\u00b2"}, "no whole number from 0 to 10"),
        ({"worth_a_review_0_to_10": "7", "already_known_yes_no": "perhaps"}, "neither yes nor no"),
        ({"case": "31"}, "no number from 1 to 30"),
        ({"case": ""}, "no number from 1 to 30"),
    ],
)
def test_an_invalid_rating_is_refused_with_its_case(folder, answer, said):
    fill_in(folder, lambda n, _: answer if n == 3 else {})
    with pytest.raises(RatingRefused, match=said):
        read_rating(folder)


def test_too_few_people_for_a_rating_are_refused(tmp_path):
    few = run(True)
    few.scores["slots"] = 5.0
    with pytest.raises(RatingRefused, match="15 of each"):
        write_rating(few, tmp_path, 1)
