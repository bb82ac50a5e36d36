"""A return of part of a supply shortens it from the day on which the return is known. Nothing is taken off twice."""

from __future__ import annotations

import itertools

import pytest

from features import Records, build
from tests.tables import TODAY, spine, table

HEAD = "patient_id medicine kind supplied_on days_supplied quantity daily_dose_mg status known_on\n"
SUPPLY = "anna clozapine dispensed 2025-10-01 28 84 300 - 2025-10-01"
LEFT = "antipsychotic_supply_left_days"
PART = "anna clozapine dispensed 2025-10-01 - 42 - returned 2025-10-06"
WAYS = {
    "a status and the quantity that came back": PART,
    "its own day": PART.replace("2025-10-01", "2025-10-05"),
    "a quantity below 0": "anna clozapine dispensed 2025-10-01 - -42 300 - 2025-10-06",
    "a quantity below 0, later": "anna clozapine dispensed 2025-10-05 - -42 300 - 2025-10-06",
    "days too": "anna clozapine dispensed 2025-10-01 14 42 300 reversed 2025-10-06",
    "words": "anna clozapine - 2025-10-05 - 42 - part_returned 2025-10-06",
}


def made(*rows: str) -> Records:
    people = table("patient_id\nanna")
    return Records.from_frames({"patients": people, "supplies": table(HEAD + "\n".join(rows))}, today=TODAY)


def left(records: Records, *days: str) -> list[float]:
    return build(records, spine(*(f"anna {day}" for day in days)), [LEFT]).values[:, 0].tolist()


@pytest.mark.parametrize("row", WAYS.values(), ids=WAYS)
def test_the_supply_is_shorter_from_the_day_on_which_the_return_is_known(row):
    records = made(SUPPLY, row)
    assert left(records, "2025-10-06", "2025-10-07", "2025-10-16") == [23, 8, 0]
    assert "1 returns of part of a supply" in "\n".join(records.report.lines())
    assert records.unread_of("anna") == []


@pytest.mark.parametrize("word", ["Part returned", "partially returned", "Returned in part"])
def test_a_part_without_its_quantity_is_shown_and_takes_nothing_off(word):
    rows = table(HEAD + "\n".join([SUPPLY, PART])).assign(quantity=["84", ""])
    rows["status"] = ["", word]
    records = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": rows}, today=TODAY)
    assert left(records, "2025-10-07") == [22]
    (unread,) = records.unread_of("anna")
    assert (unread.value, unread.reason) == ("part_returned", "it matches no supply, so nothing was taken back")


def test_two_returns_of_one_supply_add_up_and_the_rest_can_come_back_too():
    half, more = PART.replace("42", "28"), PART.replace("42", "28").replace("-06", "-08")
    assert left(made(SUPPLY, half, more), "2025-10-07", "2025-10-09") == [12, 1]
    rest = "anna clozapine dispensed 2025-10-01 - 56 - returned 2025-10-08"
    before = SUPPLY.replace("10-01", "09-03")
    assert left(made(before, SUPPLY, half, rest), "2025-10-07", "2025-10-09") == [12, 0]


def test_more_than_was_supplied_takes_nothing_off():
    records = made(SUPPLY, PART.replace("42", "112"))
    assert left(records, "2025-10-07") == [22]
    assert [one.value for one in records.unread_of("anna")] == ["reversed"]


def test_any_order_and_any_resending_give_one_store(tmp_path):
    rows = [SUPPLY, PART.replace("42", "28"), PART.replace("42", "28").replace("-06", "-08")]
    first = made(*rows)
    for order in itertools.permutations([*rows, rows[1]]):
        assert made(*order).data_hash == first.data_hash
    again = Records.load(first.save(tmp_path / "store"), today=TODAY)
    assert again.data_hash == first.data_hash
    assert Records.load(again.save(tmp_path / "twice"), today=TODAY).data_hash == first.data_hash


def test_rows_are_accounted_for():
    report = made(SUPPLY, PART).report.tables["supplies"]
    assert report.read == report.kept + report.set_aside + report.replaced + report.merged == 2
