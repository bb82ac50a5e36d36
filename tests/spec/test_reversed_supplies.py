"""A supply that was reversed counts until the reversal is known, and not after; what it was corrected to counts from
then."""

from __future__ import annotations

import pytest

from features import Records, build, find_gaps
from tests.tables import TODAY, records, spine, table

HEAD = "patient_id medicine kind supplied_on days_supplied quantity daily_dose_mg status known_on\n"
FIRST = "anna clozapine dispensed 2025-10-01 28 84 300 - 2025-10-01"
SECOND = "anna clozapine dispensed 2025-10-29 28 84 300 - 2025-10-29"
LEFT = "antipsychotic_supply_left_days"


def left(rows: list[str], *days: str) -> list[float]:
    made = records(supplies=HEAD + "\n".join(rows))
    return build(made, spine(*(f"anna {day}" for day in days)), [LEFT]).values[:, 0].tolist()


WAYS = {
    "a status": "anna clozapine dispensed 2025-10-29 28 84 300 reversed 2025-11-05",
    "a word for the status": "anna clozapine dispensed 2025-10-29 28 84 300 Entered-in-Error 2025-11-05",
    "a status and no amounts": "anna clozapine - 2025-10-29 - - - cancelled 2025-11-05",
    "a quantity below 0": "anna clozapine dispensed 2025-10-29 28 -84 300 - 2025-11-05",
    "quantity and days below 0": "anna clozapine dispensed 2025-10-29 -28 -84 300 - 2025-11-05",
    "days below 0": "anna clozapine dispensed 2025-10-29 -28 - 300 - 2025-11-05",
    "a kind": "anna clozapine reversed 2025-10-29 28 84 300 - 2025-11-05",
    "the day on which it was reversed": "anna clozapine dispensed 2025-11-05 28 84 300 reversed 2025-11-05",
}


@pytest.mark.parametrize("row", WAYS.values(), ids=WAYS)
def test_a_supply_counts_until_its_reversal_is_known(row):
    assert left([FIRST, SECOND, row], "2025-11-05", "2025-11-06") == [21, 0]
    found = find_gaps(records(supplies=HEAD + "\n".join([FIRST, SECOND, row])), "2025-11-06")
    assert "CLZ_BREAK" in set(found.code), "supply ran out on 29 October"


def test_the_order_of_rows_does_not_matter():
    rows = [FIRST, SECOND, WAYS["a status"]]
    stores = [records(supplies=HEAD + "\n".join(order)).data_hash for order in (rows, rows[::-1], rows[1:] + rows[:1])]
    assert len(set(stores)) == 1


def test_a_store_that_is_written_and_read_again_is_the_same(tmp_path):
    made = records(supplies=HEAD + "\n".join([FIRST, SECOND, WAYS["the day on which it was reversed"]]))
    assert Records.load(made.save(tmp_path / "store"), today=TODAY).data_hash == made.data_hash


def test_one_strength_of_a_day_is_reversed_and_the_other_stays():
    second = "anna clozapine dispensed 2025-10-29 28 28 25 - 2025-10-29"
    back = "anna clozapine dispensed 2025-10-29 28 28 25 reversed 2025-11-05"
    made = records(supplies=HEAD + "\n".join([FIRST, SECOND, second, back]))
    days = spine("anna 2025-11-05", "anna 2025-11-06")
    assert build(made, days, ["percent_of_max", LEFT]).values.tolist() == [
        [pytest.approx(325 / 9, abs=1e-4), 21],
        [pytest.approx(300 / 9, abs=1e-4), 20],
    ]


def test_a_correction_is_a_reversal_and_the_right_supply():
    right = "anna clozapine dispensed 2025-10-29 14 42 300 - 2025-11-05"
    assert left([FIRST, SECOND, WAYS["a status"], right], "2025-11-05", "2025-11-06") == [21, 6]


def test_what_was_reversed_and_handed_over_again_counts():
    again = SECOND.replace("- 2025-10-29", "- 2025-11-07")
    assert left([FIRST, SECOND, WAYS["a status"], again], "2025-11-05", "2025-11-06", "2025-11-08") == [21, 0, 18]


def test_a_prescription_does_not_stand_in_for_a_dispensing_that_was_reversed():
    written = SECOND.replace("dispensed", "prescribed")
    assert left([FIRST, written, SECOND, WAYS["a status"]], "2025-11-06") == [0]


def test_an_injection_that_was_not_given_after_all():
    head = "patient_id medicine kind supplied_on dose_mg interval_days status known_on\n"
    given = ["zuclopenthixol_decanoate_injection administered 2025-10-01 200 14 - 2025-10-01"]
    given += [f"zuclopenthixol_decanoate_injection administered 2025-10-15 200 14 {s} {k}" for s, k in AFTERWARDS]
    made = records(supplies=head + "\n".join(f"anna {row}" for row in given))
    late = build(made, spine("anna 2025-10-20", "anna 2025-10-21"), ["depot_days_past_due"]).values[:, 0].tolist()
    assert late == [-9, 6]
    assert [len(find_gaps(made, day).query("code == 'LAI_OVERDUE'")) for day in ("2025-10-20", "2025-10-21")] == [0, 1]


AFTERWARDS = (("-", "2025-10-15"), ("reversed", "2025-10-20"))


def test_what_was_not_handed_over_yet_is_no_supply():
    waiting = SECOND.replace("- 2025-10-29", "planned 2025-10-29")
    assert left([FIRST, waiting], "2025-11-06") == left([FIRST], "2025-11-06") == [0]


def test_a_reversal_that_matches_nothing_is_counted_and_undoes_nothing():
    other = "anna clozapine dispensed 2025-10-29 14 42 250 reversed 2025-11-05"
    made = records(supplies=HEAD + "\n".join([FIRST, SECOND, other]))
    assert build(made, spine("anna 2025-11-06"), [LEFT]).values[0, 0] == 20
    assert "1 reversals undo a supply from the day that they became known; 1 of them match no supply" in "\n".join(
        made.report.lines()
    )


@pytest.mark.parametrize("word", ["sideways", "destroyed", "owing", "cancelled?"])
def test_a_status_that_is_not_understood_is_shown_and_is_no_supply(word):
    rows = table(HEAD + SECOND).assign(status=word)
    made = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": rows}, today=TODAY)
    (unread,) = made.unread_of("anna")
    assert (unread.column, unread.value, unread.concept) == ("status", word, "clozapine")
    assert len(made["supplies"]) == 0


@pytest.mark.parametrize("word", ["not given", "Refused", "declined", "omitted", "Not dispensed", "withheld"])
@pytest.mark.parametrize("column", ["status", "kind"])
def test_what_was_not_given_is_no_supply_and_undoes_none_before_it(word, column):
    head = "patient_id medicine kind supplied_on dose_mg interval_days status known_on\n"
    given = "anna zuclopenthixol_decanoate_injection administered 2025-10-01 200 14 - 2025-10-01\n"
    rows = table(head + given + given.replace("10-01", "10-15"))
    rows[column] = [rows[column][0], word]
    made = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": rows}, today=TODAY)
    assert build(made, spine("anna 2025-10-20"), ["depot_days_past_due"]).values.tolist() == [[5]]
    assert made.unread_of("anna") == []


def test_a_dose_that_was_given_and_then_recorded_as_refused_is_undone():
    refused = SECOND.replace("- 2025-10-29", "- 2025-11-05").split()
    refused[7] = "refused"
    rows = table(HEAD + "\n".join([FIRST, SECOND, " ".join(refused)]))
    made = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": rows}, today=TODAY)
    days = spine("anna 2025-11-05", "anna 2025-11-06")
    assert build(made, days, [LEFT]).values[:, 0].tolist() == [21, 0]


@pytest.mark.parametrize("day", ["2025-10-16", "2025-10-24", "2025-10-29"])
def test_a_supply_cancelled_on_its_own_day_does_not_undo_the_one_that_is_nearly_used_up(day):
    cancelled = f"anna clozapine dispensed {day} 28 84 300 cancelled {day}"
    before = FIRST.replace("10-01", "09-03")
    assert left([before, FIRST, cancelled], day, "2025-10-30") == left([before, FIRST], day, "2025-10-30")
    (unread,) = records(supplies=HEAD + "\n".join([before, FIRST, cancelled])).unread_of("anna")
    assert unread.reason == "it matches no supply, so nothing was taken back"


@pytest.mark.parametrize("word", ["Rx", "order", "letter to GP", "repeat issue"])
def test_an_injection_counts_as_given_only_where_the_kind_says_so(word):
    head = "patient_id medicine kind supplied_on dose_mg interval_days known_on\n"
    given = "anna zuclopenthixol_decanoate_injection administered 2025-10-01 200 14 2025-10-01\n"
    rows = table(head + given + given.replace("10-01", "10-15"))
    rows["kind"] = ["Injection given", word]
    made = Records.from_frames({"patients": table("patient_id\nanna"), "supplies": rows}, today=TODAY)
    assert build(made, spine("anna 2025-10-20"), ["depot_days_past_due"]).values.tolist() == [[5]]


def test_a_supply_that_was_planned_first_counts_once_it_is_supplied():
    waiting = SECOND.replace("- 2025-10-29", "planned 2025-10-29")
    assert left([FIRST, waiting, SECOND], "2025-11-06") == left([FIRST, SECOND], "2025-11-06") == [20]


@pytest.mark.parametrize("way", WAYS)
def test_an_extract_with_a_reversal_sent_twice_is_the_same_extract(way):
    rows = [FIRST, SECOND, WAYS[way]]
    people = table("patient_id\nanna")
    once, twice = (
        Records.from_frames({"patients": people, "supplies": table(HEAD + "\n".join(sent))}, today=TODAY)
        for sent in (rows, [*rows, *rows[::-1]])
    )
    assert once["supplies"].equals(twice["supplies"])
    assert twice.quarantine["reason"].str.contains("sent twice").sum() == 3
