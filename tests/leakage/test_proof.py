"""The proof on a simulated trust, and the proof of the proof: every planted leak is caught by name."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from features import CATALOGUE, Records
from features.gaps import CODES
from features.leakage import prove
from features.leakage.future import BLANK, EVENT_TABLES, deleted, future_rows, late_parts
from features.leakage.garbling import garbled
from features.records.days import NO_DAY
from features.records.same_event.versions import VERSIONED
from features.records.tables import TABLES
from tests.leakage import plants, plants_of_corrections
from tests.leakage.corrected import corrected_trust

PLANTS = plants.PLANTS


def test_nothing_sees_the_future(trust_300: Records):
    told: list[tuple[int, int]] = []
    statement = prove(trust_300, 1000, progress=lambda done, of: told.append((done, of)))
    assert statement.differences == (), "\n".join(statement.lines())
    assert statement.holds and statement.verdict.startswith("No difference")
    assert statement.checks == 1000 and told[-1] == (1000, 1000)
    assert (statement.features, statement.gap_codes) == (len(CATALOGUE), len(CODES))
    assert all(statement.rows_deleted[name] > 0 for name in EVENT_TABLES)
    assert all(statement.late_parts_garbled[name] > 0 for name in BLANK)
    assert statement.data_hash == trust_300.data_hash and statement.synthetic


def caught(records: Records, plant: plants.Plant) -> set[str]:
    """Names of what differs while the leak is planted: in a few checks, then in more and more others, until what the
    plant must change is among them or as many are made as it asks for."""
    names: set[str] = set()
    fresh = records.at(np.arange(len(records)))  # nothing worked out before the leak was planted
    done, seed, checks = 0, 1, 80
    with plant.planted():
        while done < plant.checks and not set(plant.caught_by) <= names:
            checks = min(checks, plant.checks - done)
            names |= {difference.name for difference in prove(fresh, checks, seed=seed).differences}
            done, seed, checks = done + checks, seed + 1, 400
    return names


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_leak_is_caught_by_name(trust_300: Records, plant):
    assert set(plant.caught_by) <= caught(trust_300, plant)


@pytest.fixture(scope="session")
def corrected(trust_300: Records) -> Records:
    return corrected_trust(trust_300)


def test_nothing_sees_a_correction_before_it_was_known(corrected: Records):
    assert {name: len(one.since) > 20 for name, one in corrected.versions.items()} == dict.fromkeys(VERSIONED, True)
    statuses = corrected["supplies"]["status"].value_counts()
    assert statuses["reversed"] > 1_000
    statement = prove(corrected, 2_000)
    assert statement.differences == (), "\n".join(statement.lines())


@pytest.mark.parametrize("plant", plants_of_corrections.PLANTS, ids=lambda plant: plant.name)
def test_a_planted_leak_of_a_correction_is_caught_by_name(corrected: Records, plant):
    assert set(plant.caught_by) <= caught(corrected, plant)


def test_there_are_plenty_of_plants_and_each_is_its_own():
    assert len(PLANTS) >= 25
    assert len({plant.name for plant in PLANTS}) == len(PLANTS)


def test_a_statement_names_tables_and_dates_and_no_person(trust_300: Records, tmp_path: Path):
    plant = next(p for p in PLANTS if p.name == "gaps: contacts ignore known_on")
    with plant.planted():
        statement = prove(trust_300, plant.checks, seed=1)
    as_json, as_text = statement.write(tmp_path)
    written = as_json.read_text(encoding="utf-8") + as_text.read_text(encoding="utf-8")
    assert json.loads(as_json.read_text(encoding="utf-8")) == json.loads(json.dumps(statement.as_dict()))
    assert not any(patient in written for patient in trust_300.patient_ids)
    found = [d for d in statement.as_dict()["differences"] if d["name"] == "NO_CONTACT"]
    assert {tuple(d) for d in found} == {("name", "kind", "way", "checks", "first_date", "first_table")}
    assert set(", ".join(d["first_table"] for d in found).split(", ")) <= {"", "contacts", "referrals"}
    assert "LEAK" in statement.verdict and "NO_CONTACT" in statement.verdict


def test_the_same_seed_gives_the_same_statement(trust_300: Records):
    assert prove(trust_300, 200, seed=3, threads=1) == prove(trust_300, 200, seed=3, threads=2)


def test_no_more_checks_than_there_are_people_and_dates(trust_300: Records):
    two = trust_300.select(trust_300.patient_ids[:2])
    statement = prove(two, 60)
    assert (statement.checks, statement.people, statement.dates) == (60, 2, 30)


def test_nothing_to_check_is_refused(trust_300: Records):
    for records, rows in ((trust_300, 0), (trust_300.select([]), 10)):
        with pytest.raises(ValueError, match="nothing to check"):
            prove(records, rows)


@pytest.mark.parametrize("back", [0, 1, 100, 500])
def test_deleting_and_garbling_change_only_future_rows(trust_300: Records, back: int):
    as_of = trust_300.last_day_known() - back
    without = deleted(trust_300, as_of)
    other = garbled(trust_300, as_of, np.random.default_rng(back))
    for name in EVENT_TABLES:
        spec, before = TABLES[name], trust_300.tables[name]
        future = future_rows(before, as_of)
        assert not future_rows(without.records.tables[name], as_of).any()
        after = other.records.tables[name]
        assert future_rows(after, as_of).sum() == future.sum()
        corrections = trust_300.versions.get(name)  # the count holds versions that were not known yet
        later = 0 if corrections is None else int((corrections.table.columns["known_on"] >= as_of).sum())
        assert without.rows[name] == other.rows[name] == future.sum() + later
        order = np.lexsort((after.columns["known_on"], after.columns[spec.event_day], after.patient))
        assert (order == np.arange(len(after))).all(), "rows are in the order of a loaded extract"
        past = np.sort(other.origin[name][~future_rows(after, as_of)])
        np.testing.assert_array_equal(past, np.flatnonzero(~future))
        kept = other.origin[name][~future_rows(after, as_of)]
        np.testing.assert_array_equal(kept, np.sort(kept))
        if name in BLANK:
            past_now = ~future_rows(after, as_of)
            late_before = late_parts(before, as_of)[other.origin[name]]
            np.testing.assert_array_equal(late_parts(after, as_of)[past_now], late_before[past_now])
        for column in spec.columns:
            values = after.columns.get(column.name)
            if column.kind == "code":
                assert values.min(initial=0) >= -1 and values.max(initial=0) < len(column.values)
                assert not column.required or values.min(initial=0) >= 0
            if column.kind == "number" and column.low is not None:
                known = values[~np.isnan(values)]
                assert known.min(initial=column.low) >= column.low and known.max(initial=column.low) <= column.high
        for begun, ended in spec.ends:
            both = (after.columns[begun] != NO_DAY) & (after.columns[ended] != NO_DAY)
            assert (after.columns[begun][both] <= after.columns[ended][both]).all()


@pytest.mark.parametrize("back", [1, 200])
def test_a_garbled_extract_loads_without_a_complaint(trust_300: Records, back: int):
    """But for rows that garbling made equal to another, which are counted once, and referrals whose garbled reason is a
    death without a day, which lose the reason: both as in any extract."""
    other = garbled(trust_300, trust_300.last_day_known() - back, np.random.default_rng(back)).records
    loaded = Records.from_frames({name: other[name] for name in TABLES}, today=dt.date(2100, 1, 1))
    reasons = loaded.quarantine["reason"].str if len(loaded.quarantine) else None
    known = reasons.contains("sent twice|because the person died, without a day") if reasons else []
    assert len(loaded.quarantine) == sum(known), (
        loaded.quarantine[["table", "column", "reason"]].value_counts().to_string()
    )
