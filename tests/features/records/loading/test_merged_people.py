"""Merged patients, header lines within a table, and ids that lost their zeros."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records
from features.records.tables import TABLES
from tests.tables import TODAY, table


def load(patients: str, **tables: str) -> Records:
    frames = {name: table(text).astype("object") for name, text in {"patients": patients, **tables}.items()}
    return Records.from_frames(frames, today=TODAY)


def owners(records: Records, name: str) -> list[str]:
    return records[name]["patient_id"].tolist()


RESULTS = """
patient_id test taken_on value unit
old1 anc 2025-01-01 4.0 10^9/L
new1 anc 2025-02-01 4.1 10^9/L
"""


def test_rows_of_a_replaced_id_are_those_of_the_id_that_stands():
    records = load(
        """
        patient_id birth_date died_on known_on replaced_by
        old1 1980-05-17 2025-03-01 2025-06-01 new1
        new1 - - 2025-05-01 -
        """.replace("-  ", ""),
        results=RESULTS,
    )
    assert list(records.patient_ids) == ["new1"]
    assert owners(records, "results") == ["new1", "new1"]
    person = records["patients"].iloc[0]
    assert (str(person["birth_date"])[:10], str(person["died_on"])[:10]) == ("1980-05-17", "2025-03-01")
    report = records.report.tables["patients"]
    assert report.read == report.kept + report.set_aside + report.replaced + report.merged == 2
    assert any("1 ids are replaced by another" in note for note in report.notes)


@pytest.mark.parametrize(
    ("links", "people", "reason"),
    [
        ({"a": "b", "b": "c"}, ["c"], None),
        ({"a": "b", "c": "b"}, ["b"], None),
        ({"a": " b "}, ["b", "c"], None),
        ({"a": "b", "b": "a"}, ["a", "b", "c"], "leads back"),
        ({"a": "a"}, ["a", "b", "c"], "leads back"),
        ({"a": "b", "b": "c", "c": "b"}, ["b", "c"], "leads back"),
        ({"a": "nobody"}, ["a", "b", "c"], "names no id"),
        ({"a": "b", "b": "nobody"}, ["b", "c"], "names no id"),
    ],
)
def test_chains_are_followed_and_what_leads_nowhere_is_set_aside(links, people, reason):
    frame = pd.DataFrame({"patient_id": list("abc"), "replaced_by": [links.get(one) for one in "abc"]})
    for given in (frame, frame.iloc[::-1]):
        records = Records.from_frames({"patients": given}, today=TODAY)
        assert list(records.patient_ids) == people
        reasons = list(records.report.reasons.get("patients", {}))
        assert (len(reasons) == 1 and reason in reasons[0]) if reason else not reasons


def test_two_replacements_of_one_id_are_not_guessed_between():
    frame = pd.DataFrame({"patient_id": ["a", "a", "b", "c"], "replaced_by": ["b", "c", None, None]})
    records = Records.from_frames({"patients": frame}, today=TODAY)
    assert list(records.patient_ids) == ["a", "b", "c"]
    assert "different replacements" in next(iter(records.report.reasons["patients"]))


def test_a_merge_survives_the_store(tmp_path):
    frame = pd.DataFrame({"patient_id": ["old1", "new1"], "replaced_by": ["new1", None]})
    results = table(RESULTS).astype("object")
    records = Records.from_frames({"patients": frame, "results": results}, today=TODAY)
    again = Records.load(records.save(tmp_path / "store"), today=TODAY)
    assert list(again.patient_ids) == ["new1"] and owners(again, "results") == ["new1", "new1"]


@pytest.mark.parametrize("door", ["frames", "csv"])
def test_a_repeated_header_line_is_set_aside_and_counted(door, tmp_path):
    frames = {
        "patients": pd.DataFrame({"patient_id": ["a", "patient_id", "b"], "sex": ["male", "sex", "female"]}),
        "teams": pd.DataFrame({"team_id": ["T1", "team_id"], "kind": ["A06", "kind"]}),
        "results": pd.DataFrame(
            [["a", "anc", "2025-01-01", "4.0", "10^9/L"], ["patient_id", "test", "taken_on", "value", "unit"]],
            columns=["patient_id", "test", "taken_on", "value", "unit"],
        ),
    }
    if door == "csv":
        for name, spec in TABLES.items():
            (tmp_path / f"{name}.csv").write_text(",".join(spec.names) + "\n", encoding="utf-8")
        for name, frame in frames.items():
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
        records = Records.load(tmp_path, today=TODAY)
    else:
        records = Records.from_frames(frames, today=TODAY)
    assert list(records.patient_ids) == ["a", "b"]
    for name in frames:
        report = records.report.tables[name]
        assert (report.set_aside, report.kept) == (1, len(frames[name]) - 1)
        assert list(records.report.reasons[name].values()) == [1]
        assert "the header line again" in next(iter(records.report.reasons[name]))
        assert not any("not understood" in note or "not known" in note for note in report.notes)
    assert not len(records.unread)


@pytest.mark.parametrize(
    ("given", "reason"),
    [("42", "the zeros may have been lost"), ("0042.0", "not in"), ("43", "not in the patients table")],
)
def test_an_id_that_lost_its_zeros_is_set_aside_with_a_hint(given, reason):
    results = pd.DataFrame(
        [[given, "anc", "2025-01-01", "4.0", "10^9/L"]], columns=["patient_id", "test", "taken_on", "value", "unit"]
    )
    patients = pd.DataFrame({"patient_id": ["000042", "a7"]})
    records = Records.from_frames({"patients": patients, "results": results}, today=TODAY)
    assert not len(records["results"])
    (found,) = records.report.reasons["results"]
    assert reason in found
    assert ("zeros" in found) == ("zeros" in reason)


@pytest.mark.parametrize(
    ("rows", "people"),
    [
        ([("a", "b", "2025-01-02")], ["b", "c"]),
        ([("a", "b", "2025-01-02"), ("a", None, "2025-02-02")], ["a", "b", "c"]),  # undone
        ([("a", "b", "2025-01-02"), ("a", "c", "2025-02-02")], ["b", "c"]),  # corrected: a is c
        ([("a", None, None), ("a", "b", "2025-02-02")], ["b", "c"]),  # a merge that arrives late
        ([("a", "b", "2025-01-02"), ("a", None, "2025-01-02")], ["b", "c"]),  # one day: a merge before none
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_row_that_became_known_last_decides_a_merge(rows, people, turned):
    """And the rows of the old id are the other's on every day, also before the merge was known."""
    given = [{"patient_id": one, "replaced_by": other, "known_on": known} for one, other, known in rows]
    frame = pd.DataFrame([*(given[::-1] if turned else given), {"patient_id": "b"}, {"patient_id": "c"}])
    count = pd.DataFrame([{"patient_id": "a", "test": "anc", "taken_on": "2024-12-01", "known_on": "2024-12-02"}])
    records = Records.from_frames({"patients": frame, "results": count}, today=TODAY)
    assert list(records.patient_ids) == people
    assert owners(records, "results") == ["a" if "a" in people else "c" if rows[-1][1] == "c" else "b"]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("known", "born"),
    [((None, None), "NaT"), (("2025-01-02",) * 2, "NaT"), (("2025-01-02", "2025-02-02"), "1980-01-02")],
)
def test_of_two_birth_dates_the_later_known_one_counts_and_a_tie_is_unread(known, born, turned):
    rows = [
        {"patient_id": "anna", "birth_date": day, "known_on": on}
        for day, on in zip(("1980-01-01", "1980-01-02"), known, strict=True)
    ]
    records = Records.from_frames({"patients": pd.DataFrame(rows[::-1] if turned else rows)}, today=TODAY)
    assert str(records["patients"]["birth_date"].iloc[0])[:10] == born
    assert [one.column for one in records.unread_of("anna")] == (["birth_date"] if born == "NaT" else [])
