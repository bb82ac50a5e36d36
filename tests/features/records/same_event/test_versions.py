"""Earlier versions of a row stay for earlier days: what a day reads is what an extract of that day would have held."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records, build, find_gaps
from features.engine.caseload import caseload
from features.leakage.future import deleted
from features.leakage.prove import check
from features.records import day_of
from features.records.sources.merging import merge_into
from tests.examples import examples
from tests.tables import TODAY

Row = dict[str, str]
Extract = dict[str, list[Row]]
PEOPLE = ("anna", "bede")
SUPPLY = {"medicine": "clozapine", "supplied_on": "2024-11-02", "days_supplied": "200", "known_on": "2024-11-03"}
OPENED = {"referral_id": "r0", "team_id": "T1", "opened_on": "2024-01-01", "known_on": "2024-01-02"}
ROUTINE = {"contact_id": "c1", "contact_on": "2025-01-05", "kind": "routine", "outcome": "attended"}


def load(extract: Mapping[str, list[Row]]) -> Records:
    whole = {"patients": [{"patient_id": one} for one in PEOPLE]} | dict(extract)
    for name in ("supplies", "referrals"):
        fixed = SUPPLY if name == "supplies" else OPENED
        whole[name] = [*whole.get(name, []), *({"patient_id": one, **fixed} for one in PEOPLE)]
        if name == "referrals":
            whole[name] = [{**row, "referral_id": row["referral_id"] + row["patient_id"]} for row in whole[name]]
    frames = {name: pd.DataFrame(rows, dtype="object") for name, rows in whole.items() if rows}
    frames["teams"] = pd.DataFrame([{"team_id": "T1", "kind": "A06"}])
    return Records.from_frames(frames, today=TODAY)


CLOCKS = {
    "contacts": ("outcome", "outcome_known_on", "planned"),
    "stays": ("discharged_on", "discharge_known_on", ""),
    "referrals": ("closed_on", "closed_known_on", ""),
}


def known_before(extract: Extract, day: str) -> Extract:
    """The extract as it would have been on a day: rows known before it, and of each what was known of it."""
    found: Extract = {}
    for name, rows in extract.items():
        late, clock, blank = CLOCKS[name]
        found[name] = [
            row if row.get(clock) and row[clock] < day else {**row, late: blank, clock: "", "close_reason": ""}
            for row in rows
            if row["known_on"] < day
        ]
    return found


def told(records: Records, day: str) -> tuple[object, ...]:
    """Everything that is read of everybody on a day."""
    spine = pd.DataFrame({"patient_id": list(PEOPLE), "as_of": [dt.date.fromisoformat(day)] * len(PEOPLE)})
    gaps = find_gaps(records, day).drop(columns="evidence")
    listed = caseload(records, day_of(day))
    return build(records, spine, threads=1).values, gaps, listed.reason, listed.spine["team_id"].tolist()


def same(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    for mine, its in zip(one, other, strict=True):
        if isinstance(mine, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, its)
        else:
            np.testing.assert_array_equal(mine, its)


DAYS = [f"2025-01-{day:02}" for day in range(1, 13)]
KNOWN = [f"2025-01-{day:02}" for day in range(13, 21)]


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    """Contacts, stays and referrals of few ids and days: rows that are amended, reopened, moved and overlap."""
    person = st.sampled_from(PEOPLE)
    known = st.sampled_from(KNOWN)
    contact = st.fixed_dictionaries(
        {"patient_id": person, "contact_id": st.sampled_from("ab"), "contact_on": st.sampled_from(DAYS[:3])}
        | {"kind": st.sampled_from(["routine", "medicines_review"]), "known_on": known, "outcome_known_on": known}
        | {"outcome": st.sampled_from(["attended", "did_not_attend"]), "mode": st.sampled_from(["video", "text"])}
    )
    stay = st.fixed_dictionaries(
        {"patient_id": person, "admitted_on": st.sampled_from(DAYS[:4]), "ward": st.sampled_from(["acute", "picu"])}
        | {"discharged_on": st.sampled_from(["", *DAYS[4:8]]), "known_on": known, "discharge_known_on": known}
    )
    referral = st.fixed_dictionaries(
        {"patient_id": person, "referral_id": st.sampled_from("rs"), "opened_on": st.sampled_from(DAYS[:2])}
        | {"closed_on": st.sampled_from(["", *DAYS[4:6]]), "known_on": known, "closed_known_on": known}
        | {"team_id": st.sampled_from(["T1", "T2"])}
    )
    found = {"contacts": contact, "stays": stay, "referrals": referral}
    extract = {name: draw(st.lists(rows, min_size=1, max_size=5)) for name, rows in found.items()}
    for rows in extract.values():
        for row in rows:
            for end, clock, _ in CLOCKS.values():
                if clock in row and not row[end]:
                    row[clock] = ""
    for row in extract["contacts"]:
        row["contact_id"] += row["patient_id"]
    return extract


@settings(max_examples=examples(15), deadline=None)
@given(extracts(), st.sampled_from(KNOWN))
def test_a_day_reads_what_an_extract_of_that_day_would_have_held(extract, day):
    same(told(load(extract), day), told(load(known_before(extract, day)), day))


@settings(max_examples=examples(10), deadline=None)
@given(extracts(), st.sampled_from(KNOWN), st.integers(0, 99))
def test_no_version_that_was_known_later_is_read(extract, day, seed):
    records = load(extract)
    found = check(records, day_of(day), np.arange(len(records)), np.random.default_rng(seed))
    assert found.differences == {}
    assert all(
        (one.table.columns["known_on"] < day_of(day)).all()
        for one in deleted(records, day_of(day)).records.versions.values()
    )


@settings(max_examples=examples(10), deadline=None)
@given(extract=extracts(), seed=st.integers(0, 99))
def test_any_order_any_resending_and_any_store_keep_the_same_versions(extract, seed, tmp_path_factory):
    first = load(extract)
    turned = {name: random.Random(seed).sample(rows * 2, 2 * len(rows)) for name, rows in extract.items()}
    assert load(turned).data_hash == first.data_hash
    store = tmp_path_factory.mktemp("store") / "store"
    assert Records.load(first.save(store), today=TODAY).data_hash == first.data_hash
    assert Records.load(first.save(store, "csv"), today=TODAY).data_hash == first.data_hash


CORRECTED = [
    {"patient_id": "anna", **ROUTINE, "known_on": "2025-01-06"},
    {"patient_id": "anna", **ROUTINE, "kind": "medicines_review", "known_on": "2025-01-20"},
]


@pytest.mark.parametrize("day", ["2025-01-06", "2025-01-16", "2025-01-20", "2025-01-21"])
def test_a_person_alone_and_everybody_read_the_same_versions(day):
    records = load({"contacts": CORRECTED})
    (kind,) = records.as_known(day_of(day))["contacts"]["kind"] if day > "2025-01-06" else ("none",)
    assert kind == {"2025-01-16": "routine", "2025-01-20": "routine", "2025-01-21": "medicines_review"}.get(day, "none")
    same(told(records, day)[:1], told(records.select(PEOPLE), day)[:1])


def test_what_was_never_corrected_has_no_versions():
    planned = {"patient_id": "anna", **ROUTINE, "outcome": "planned", "known_on": "2025-01-02"}
    attended = planned | {"outcome": "attended", "known_on": "2025-01-06"}
    records = load({"contacts": [planned, attended, attended]})
    assert records.versions == {} and records.as_known(day_of("2025-01-04")) is records


def test_versions_of_two_stores_come_together(tmp_path):
    load({"contacts": CORRECTED[:1]}).save(tmp_path / "one")
    load({"contacts": CORRECTED[1:]}).save(tmp_path / "two")
    merge_into(tmp_path / "one", tmp_path / "two", "later")
    merged = Records.load(tmp_path / "one", today=TODAY)
    assert [len(merged.as_known(day_of(day)).versions) for day in ("2025-01-16", "2025-01-21")] == [0, 1]
    same(told(merged, "2025-01-16"), told(load({"contacts": CORRECTED[:1]}), "2025-01-16"))
