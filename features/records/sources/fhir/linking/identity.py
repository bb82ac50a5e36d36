"""Finds one person for several Patient resources, and the person that each reference means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.records.days import NO_DAY
from features.records.problems import RecordsError, RecordsProblem
from features.records.reading.nhs_numbers import looks_like_one
from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.references import NHS
from features.records.sources.fhir.sink import MERGED


@dataclass(frozen=True)
class People:
    """``rows`` has one row for each person, with ``patient_id``. ``by_key`` maps a reference or a hashed identifier
    to a person.
    """

    rows: pd.DataFrame
    by_key: dict[str, str]

    def ids_of(self, subjects: pd.Series) -> pd.Series:
        """The person of each reference, missing where none is found. Each distinct reference is looked up once."""
        words = subjects.astype("category")
        ids = [self.by_key.get(str(word)) for word in words.cat.categories]
        codes = words.cat.codes.to_numpy()
        found = np.array([*ids, None], dtype=object)[codes]
        return pd.Series(found, dtype="str")


def link_people(extract: Extract, patients: pd.DataFrame, identifiers: pd.DataFrame, replaced: pd.DataFrame) -> People:
    """Joins Patient resources that are one person: a ``replaced-by`` or ``replaces`` link, or one NHS number.

    The id is the pseudonym of the NHS number where the trust's key made one, otherwise the id of the Patient that is
    kept. A death or a birth date that only one Patient holds is used for the person.
    """
    leader: dict[str, str] = {key: key for key in patients["key"]}

    def find(key: str) -> str:
        while leader[key] != key:
            leader[key] = leader[leader[key]]
            key = leader[key]
        return key

    for key, target in zip(replaced["key"], replaced["replaced_by"], strict=True):
        if key in leader and target in leader and find(target) != find(key):
            leader[find(key)] = find(target)
    births = dict(zip(patients["key"], patients["birth_date"], strict=True))
    holders, doubtful = _holders(identifiers, leader, births, find, extract)
    pseudonyms = {
        find(key): hashed.removeprefix(NHS)
        for hashed, key in holders.items()
        if hashed.startswith(NHS) and "." in hashed and find(key) not in doubtful
    }
    people = patients.assign(person=[find(key) for key in patients["key"]])
    names = {key: pseudonyms.get(key, key.partition("/")[2]) for key in set(people["person"])}
    _refuse_numbers(names.values())
    merged = people["key"] != people["person"]
    extract.fates[people["source"].to_numpy(np.int32)[merged.to_numpy(bool)]] = extract.fate(f"{MERGED}the same person")
    by_key = {key: names[find(key)] for key in leader}
    by_key |= {hashed: names[find(key)] for hashed, key in holders.items()}
    people["lead"] = ~merged
    people = people.sort_values("lead", ascending=False, kind="stable")
    for column in ("birth_date", "died_on"):
        people[column] = people[column].where(people[column] != NO_DAY)
    first = people.groupby("person", sort=False, observed=True)[
        ["source", "birth_date", "sex", "ethnicity", "died_on"]
    ].first()
    first = first.reset_index()
    for column in ("birth_date", "died_on"):
        first[column] = first[column].fillna(NO_DAY).astype("int64")
    first["patient_id"] = first["person"].map(names).astype("str")
    return People(first.sort_values("source", ignore_index=True), by_key)


def _holders(
    identifiers: pd.DataFrame,
    leader: dict[str, str],
    births: dict[str, int],
    find: Callable[[str], str],
    extract: Extract,
) -> tuple[dict[str, str], set[str]]:
    """Maps each identifier to its one Patient, and lists Patients with an NHS number that another person also has.

    Two Patients of one NHS number are one person, unless their birth dates differ. A local identifier that two people
    have is not used.
    """
    holders: dict[str, str] = {}
    doubtful: set[str] = set()
    shared: set[str] = set()
    for key, hashed in zip(identifiers["key"], identifiers["hash"], strict=True):
        if key not in leader:
            continue
        other = holders.setdefault(hashed, key)
        if find(other) == find(key):
            continue
        born = {births[other], births[key]} - {NO_DAY}
        if hashed.startswith(NHS) and len(born) < 2:
            leader[find(key)] = find(other)
        else:
            shared.add(hashed)
            if hashed.startswith(NHS):
                doubtful |= {find(key), find(other)}
                extract.notes["Patient: one NHS number with two birth dates; kept apart, check them"] += 1
    return {hashed: key for hashed, key in holders.items() if hashed not in shared}, doubtful


def _refuse_numbers(ids: Iterable[str]) -> None:
    numbers = sum(looks_like_one(name) for name in ids)
    if numbers:
        raise RecordsError(
            [
                RecordsProblem(
                    "FHIR Patient",
                    f"{numbers} Patient ids are NHS numbers",
                    "ids of the system, with the NHS number among the identifiers",
                    "ask the supplier for logical ids; an NHS number is never stored",
                )
            ]
        )
