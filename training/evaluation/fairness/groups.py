"""Groups of the audit: every row's level in each group of docs/clinical.md section 5, as known on the day of scoring.

Groups are read for the audit only: none is a feature of the model or shown as a reason (docs/architecture.md rule 6).
*Not recorded* is a separate level: missing is never counted with the majority. :data:`NOT_IN_RECORDS` names the
groups that docs/clinical.md asks for and the records do not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records import Records
from features.reference.diagnoses import in_group

Words = npt.NDArray[np.object_]
UNKNOWN = "not recorded"
NOT_SETTLED = ("rough_sleeping", "hostel", "temporary", "sofa_surfing")
EARLY_INTERVENTION = "A14"
AGES = ((18, "under 25"), (25, "25 to 44"), (45, "45 to 64"), (65, "65 and over"))
NOT_IN_RECORDS = ("rural access",)
"""Groups of docs/clinical.md section 5 that no table of the records holds. The report lists them as open."""


@dataclass(frozen=True)
class Partition:
    """One way to divide rows: ``level`` is one word per row. ``crossed`` marks an intersection of two others."""

    name: str
    label: str
    level: Words
    crossed: bool = False


def partitions(records: Records, spine: pd.DataFrame) -> tuple[Partition, ...]:
    """Every group of the audit for the rows of ``spine`` (patient_id, as_of and perhaps team_id)."""
    rows = spine[["patient_id", "as_of"]].reset_index(drop=True)
    person = rows.merge(records["patients"], on="patient_id", how="left")
    ethnicity = _words(person["ethnicity"])
    fifth = np.ceil(person["deprivation_decile"].to_numpy(dtype=float, na_value=np.nan) / 2)
    deprived = np.where(np.isnan(fifth), UNKNOWN, np.where(fifth == 1, "most deprived fifth", "other fifths")).astype(
        object
    )
    autism, disability = _words(person["autism"]), _words(person["learning_disability"])
    adhd = _diagnosed(records, rows, lambda code, _: code.startswith("F90"))
    neuro = np.where(
        np.isin(autism, ["confirmed", "suspected"]) | np.isin(disability, ["confirmed", "suspected"]),
        "autistic or with a learning disability",
        "neither recorded",
    ).astype(object)
    sex = _words(person["sex"])
    found = [
        Partition("language", "Language and interpreter", _interpreter(records, rows)),
        Partition("housing", "Housing in the last year", _housing(records, rows)),
        Partition("autism", "Autism", autism),
        Partition("adhd", "ADHD", np.where(adhd > 0, "recorded", UNKNOWN).astype(object)),
        Partition("learning_disability", "Learning disability", disability),
        Partition("multimorbidity", "Long-term conditions beside mental illness", _conditions(records, rows)),
        Partition("ethnicity", "Ethnicity", ethnicity),
        Partition("sex", "Sex", sex),
        Partition("age", "Age", _ages(person)),
        Partition("deprivation", "Deprivation", _fifths(fifth)),
        Partition("diagnosis", "Diagnosis", _diagnosis(records, rows)),
        Partition("pregnancy_potential", "Pregnancy potential", _latest(records, rows, "childbearing_potential")),
        Partition(
            "ethnicity_by_deprivation",
            "Ethnicity and deprivation",
            _cross(_white_british_or_not(ethnicity), deprived),
            crossed=True,
        ),
        Partition("neurodivergence_by_sex", "Autism or learning disability, and sex", _cross(neuro, sex), crossed=True),
    ]
    if "team_id" in spine:
        kinds = records["teams"].set_index("team_id")["kind"].reindex(spine["team_id"]).to_numpy()
        early = np.where(
            pd.isna(kinds), UNKNOWN, np.where(kinds == EARLY_INTERVENTION, "early intervention", "community team")
        )
        found.append(Partition("team_kind", "Kind of team", early.astype(object)))
    return tuple(found)


def periods(day: npt.NDArray[np.int64]) -> Words:
    """The quarter of the year of each day number."""
    dates = pd.to_datetime(day, unit="D")
    return np.array(
        [f"{year} Q{quarter}" for year, quarter in zip(dates.year, dates.quarter, strict=True)], dtype=object
    )


def _words(column: pd.Series) -> Words:
    return np.array([UNKNOWN if pd.isna(value) else str(value) for value in column], dtype=object)


def _cross(a: Words, b: Words) -> Words:
    both = np.array([f"{one}, {other}" for one, other in zip(a, b, strict=True)], dtype=object)
    both[(a == UNKNOWN) | (b == UNKNOWN)] = UNKNOWN
    return both


def _ages(person: pd.DataFrame) -> Words:
    years = (pd.to_datetime(person["as_of"]) - pd.to_datetime(person["birth_date"])).dt.days.to_numpy(
        dtype=float
    ) / 365.25
    place = np.searchsorted([start for start, _ in AGES], years, side="right") - 1
    words = np.array([name for _, name in AGES], dtype=object)[np.clip(place, 0, None)]
    words[np.isnan(years)] = UNKNOWN
    return words


def _known(records: Records, rows: pd.DataFrame, table: str, event: str, keep: pd.Series | None = None) -> pd.DataFrame:
    """Rows of ``table`` known and begun before each spine row's ``as_of``, with ``row``: the position of that spine
    row."""
    facts = records[table]
    facts = facts if keep is None else facts[keep]
    joined = rows.assign(row=np.arange(len(rows))).merge(facts, on="patient_id", how="inner")
    return joined[(joined[event] < joined["as_of"]) & (joined["known_on"] < joined["as_of"])]


def _circumstance(records: Records, rows: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    return _known(records, rows, "circumstances", "from_on", records["circumstances"]["kind"].isin(kinds))


def _latest(records: Records, rows: pd.DataFrame, kind: str) -> Words:
    found = _circumstance(records, rows, [kind]).sort_values("from_on").groupby("row")["value"].last()
    words = np.full(len(rows), UNKNOWN, dtype=object)
    words[found.index.to_numpy()] = found.to_numpy(dtype=object)
    return words


def _interpreter(records: Records, rows: pd.DataFrame) -> Words:
    found = _circumstance(records, rows, ["interpreter", "language"])
    needs = (found["kind"].eq("interpreter") & found["value"].eq("required")) | (
        found["kind"].eq("language") & ~found["value"].str.casefold().isin(["english", "en"])
    )
    words = np.full(len(rows), UNKNOWN, dtype=object)
    words[found["row"].to_numpy()] = "no interpreter needed"
    words[found["row"][needs].to_numpy()] = "interpreter or other language"
    return words


def _housing(records: Records, rows: pd.DataFrame) -> Words:
    """True if the person was not in settled housing in the last 12 months: a status without a settled home applied on
    any day of them.
    """
    found = _circumstance(records, rows, ["housing"]).sort_values(["row", "from_on"], kind="stable")
    until = found.groupby("row")["from_on"].shift(-1)
    recent = until.isna() | (until > found["as_of"] - pd.Timedelta(days=365))
    words = np.full(len(rows), UNKNOWN, dtype=object)
    words[found["row"].to_numpy()] = "settled"
    words[found["row"][found["value"].isin(NOT_SETTLED) & recent].to_numpy()] = "no settled home"
    return words


def _diagnosed(records: Records, rows: pd.DataFrame, counts) -> npt.NDArray[np.int64]:  # type: ignore[no-untyped-def]
    """The number of distinct diagnoses (by the first three characters of the code) for which ``counts(code, label)``
    holds.
    """
    facts = records["conditions"]
    codes, labels = facts["code"].astype(object).fillna(""), facts["label"].astype(object).fillna("")
    belongs = {pair: counts(*pair) for pair in set(zip(codes, labels, strict=True))}
    wanted = np.array([belongs[pair] for pair in zip(codes, labels, strict=True)], dtype=bool)
    keep = facts["category"].eq("diagnosis") & wanted
    found = _known(records, rows, "conditions", "recorded_on", keep)
    number = found.assign(stem=found["code"].astype("string").str.slice(0, 3)).groupby("row")["stem"].nunique()
    out = np.zeros(len(rows), dtype=np.int64)
    out[number.index.to_numpy()] = number.to_numpy()
    return out


def _conditions(records: Records, rows: pd.DataFrame) -> Words:
    """Conditions outside chapter F of ICD-10. A code of another system counts too, unless its label is a group of
    severe mental illness.
    """
    number = _diagnosed(
        records, rows, lambda code, label: not code.startswith("F") and not in_group("smi", code, label)
    )
    recorded = _diagnosed(records, rows, lambda code, label: True) > 0
    words = np.where(number >= 2, "two or more", np.where(number == 1, "one", "none recorded"))
    return np.where(recorded, words, UNKNOWN).astype(object)


def _diagnosis(records: Records, rows: pd.DataFrame) -> Words:
    words = np.full(len(rows), "other or none recorded", dtype=object)
    groups = (
        ("other severe mental illness", lambda code, label: in_group("smi", code, label)),
        ("bipolar", lambda code, label: code.startswith("F31") or label.casefold() == "bipolar disorder"),
        ("schizophrenia", lambda code, label: in_group("schizophrenia", code, label)),
    )
    for name, counts in groups:
        words[_diagnosed(records, rows, counts) > 0] = name
    return words


def _fifths(fifth: np.ndarray) -> np.ndarray:
    """Words for the fifth of deprivation of each row."""
    words = {f: f"fifth {f}{' (most deprived)' if f == 1 else ''}" for f in range(1, 6)}
    return np.array([UNKNOWN if np.isnan(f) else words[int(f)] for f in fifth], dtype=object)


def _white_british_or_not(ethnicity: np.ndarray) -> np.ndarray:
    """Ethnicity in two groups and "not recorded", for crossing with another characteristic."""
    unknown = np.isin(ethnicity, [UNKNOWN, "not_stated"])
    words = np.where(ethnicity == "white_british", "white British", "all other ethnicities")
    return np.where(unknown, UNKNOWN, words).astype(object)
