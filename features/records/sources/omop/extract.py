"""``read``: reads an OMOP folder into our tables, and accounts for every input row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from features.records.problems import RecordsError
from features.records.sources.omop.columns import (
    COLUMNS,
    CONCEPT_COLUMNS,
    REQUIRED,
    START_DATES,
    day_text,
    days,
    tidy_ids,
)
from features.records.sources.omop.conditions import conditions
from features.records.sources.omop.drugs import supplies
from features.records.sources.omop.folder import OmopFolder, open_folder
from features.records.sources.omop.ledger import NOT_READ, VOCABULARY, RowFates
from features.records.sources.omop.mappings import load_mappings
from features.records.sources.omop.measurements import results
from features.records.sources.omop.people import patients, referrals
from features.records.sources.omop.visits import contacts_and_stays
from features.records.sources.omop.vocabulary import VOCABULARY_TABLES, Vocabulary, load_vocabulary


@dataclass(frozen=True)
class OmopExtract:
    """The result of ``read``.

    ``frames``: our tables, as ``Records.from_frames`` takes them. ``accounting``: omop_table, fate, rows; sums to the
    rows of each table. ``unmapped``: omop_table, concept_id, name, domain, rows, most frequent first. ``notes``:
    decisions taken and values left out, in sentences. ``missing``: OMOP tables that are read if present and were not
    there.
    ``last_day``: the last day the extract knows of. ``counts``: numbers such as people without a visit.
    """

    frames: dict[str, pd.DataFrame]
    accounting: pd.DataFrame
    unmapped: pd.DataFrame
    notes: tuple[str, ...]
    missing: tuple[str, ...]
    first_day: pd.Timestamp | None
    last_day: pd.Timestamp | None
    counts: dict[str, int]
    about: dict[str, Any]
    ledger: RowFates = field(repr=False, compare=False)


def read(
    folder: str | Path, *, mappings: str | Path | None = None, about: Mapping[str, Any] | None = None
) -> OmopExtract:
    """Reads an OMOP CDM 5.2 to 5.4 extract: a folder of CSV or Parquet files, names in any case.

    ``mappings`` is a folder whose CSVs replace ours of the same name. ``about`` goes into the records' ``about`` (say
    ``synthetic`` there). Only ``person`` must be there; every other table that is missing is named in ``missing``.
    Raises RecordsError.
    """
    files = open_folder(folder)
    maps = load_mappings(mappings)
    raw = {name: tidy_ids(files.table(name, COLUMNS[name], REQUIRED[name])) for name in COLUMNS}
    vocabulary = load_vocabulary(files, _used(raw))
    ledger, notes = RowFates(), []
    missing = tuple(name for name in (*COLUMNS, "concept") if name not in files)
    notes += [f"{name}: not in the extract; treated as empty" for name in missing]
    if maps.replaced:
        notes.append(f"mapping tables replaced by those given: {', '.join(maps.replaced)}")

    first_day, last_day = _span(raw, notes)
    people = patients(
        raw["person"], raw["death"], set(raw["observation_period"]["person_id"].dropna()), maps, ledger, notes
    )
    diagnoses, confirmed = conditions(raw["condition_occurrence"], maps, vocabulary, ledger)
    for column in ("learning_disability", "autism"):
        who = people["patient_id"].isin(confirmed.get(column, set()))
        people[column] = pd.Series("confirmed", index=people.index, dtype="str").where(who)
    died = {
        str(p): str(d)
        for p, d in people.dropna(subset=["died_on"])[["patient_id", "died_on"]].itertuples(index=False, name=None)
    }
    spells = referrals(
        raw["observation_period"], raw["visit_occurrence"], raw["care_site"], died, last_day, maps, ledger
    )
    contacts, stays = contacts_and_stays(raw["visit_occurrence"], set(spells.teams["team_id"]), maps, ledger)
    frames = {
        "patients": people,
        "teams": spells.teams,
        "referrals": spells.referrals,
        "contacts": contacts,
        "stays": stays,
        "supplies": supplies(raw["drug_exposure"], maps, vocabulary, ledger, notes),
        "results": pd.concat(
            [results(name, raw[name], maps, vocabulary, ledger, notes) for name in ("measurement", "observation")],
            ignore_index=True,
        ),
        "conditions": diagnoses,
    }
    _whole_tables(files, ledger, notes)
    ledger.fates = {name: fates for name, fates in ledger.fates.items() if name in files}
    persons = raw["person"]["person_id"]
    counts = {
        "people": int(persons.nunique()),
        "people_without_visits": int((~persons.isin(raw["visit_occurrence"]["person_id"])).sum()),
        "people_without_observation_period": int((~persons.isin(raw["observation_period"]["person_id"])).sum()),
        "referrals_open_at_end": spells.open_at_end,
    }
    stated = {"source": "OMOP CDM", **(about or {})}
    unmapped = _unmapped(ledger, vocabulary)
    return OmopExtract(
        frames, ledger.accounting(), unmapped, tuple(notes), missing, first_day, last_day, counts, stated, ledger
    )


def _used(raw: Mapping[str, pd.DataFrame]) -> set[str]:
    """Every concept id that an event names."""
    return {
        str(i)
        for name, columns in CONCEPT_COLUMNS.items()
        for column in columns
        for i in raw[name][column].dropna().unique()
    }


def _span(raw: Mapping[str, pd.DataFrame], notes: list[str]) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """First and last day of the events and observation periods of an extract, not counting days after today or before
    1900.

    One mistyped year must not decide which referrals are open, so days in the future are not used as the end of an
    extract.
    """
    starts = [days(day_text(raw[name], column.removesuffix("_date"))) for name, column in START_DATES.items()]
    starts.append(days(day_text(raw["observation_period"], "observation_period_start")))
    known = pd.concat(starts).dropna()
    known = known[(known >= pd.Timestamp(1900, 1, 1)) & (known <= pd.Timestamp.today().normalize())]
    if not len(known):
        return None, None
    few = max(1, len(known) // 1000)
    latest = known.nlargest(few + 1)
    last, settled = latest.iloc[0], latest.iloc[-1]
    if len(known) > 2 * few and (last - settled).days > ALONE_DAYS:
        late = int((known > settled).sum())
        notes.append(
            f"{late} days up to {last.date()} stand alone, more than {ALONE_DAYS} days after all others: the extract "
            f"is taken to end on {settled.date()}"
        )
        last = settled
    return known.min(), last


ALONE_DAYS = 90
"""[D] A few days (one in a thousand, at least one) that are more than this many days after all others are not used as
the end of the extract.
"""


def _whole_tables(files: OmopFolder, ledger: RowFates, notes: list[str]) -> None:
    """Tables that are not events: used as vocabulary or names, or not read at all. Counted, so that nothing is
    silently ignored."""
    for name in files.files:
        if name in ledger.fates:
            continue
        used = name in ("concept", "concept_ancestor", "drug_strength")
        fate = VOCABULARY if used else f"{NOT_READ} (vocabulary)" if name in VOCABULARY_TABLES else NOT_READ
        try:
            rows = files.rows(name)
        except RecordsError:  # the file is not used, so an error in it does not stop the load
            notes.append(f"{name}: the file cannot be read, and is not needed; its rows are not counted")
            continue
        ledger.whole[name] = ("used as names of teams" if name == "care_site" else fate, rows)


def _unmapped(ledger: RowFates, vocabulary: Vocabulary) -> pd.DataFrame:
    frame = pd.concat(ledger.unmapped, ignore_index=True)
    named = [vocabulary.name(concept_id) for concept_id in frame["concept_id"]]
    frame["name"] = pd.Series([name for name, _ in named], dtype="str")
    frame["domain"] = pd.Series([domain for _, domain in named], dtype="str")
    frame = frame.sort_values(["rows", "omop_table", "concept_id"], ascending=[False, True, True], ignore_index=True)
    return frame[["omop_table", "concept_id", "name", "domain", "rows"]]
