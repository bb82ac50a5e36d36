"""One extract, one store: the order of its rows, the files it is split into and rows that are sent again change
nothing, in any table, whatever is wrong with a row."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records, build
from features.records.tables import TABLES
from tests.examples import examples
from tests.tables import TODAY

Extract = dict[str, list[dict[str, str]]]

DAY = ["2025-03-01", "2025-03-02", "2025-04-01", "01/03/2025", "9999-12-31", "soon"]
ANY_DAY = ["", *DAY]
KNOWN = ["", "2025-04-02", "2025-05-01"]
POOLS: dict[str, dict[str, list[str]]] = {
    "patients": {
        "patient_id": ["anna", "bede", "cuth"],
        "birth_date": ["", "1980-05-17", "2999-01-01"],
        "sex": ["", "female", "F", "?"],
        "died_on": ["", "2025-06-01", "later"],
        "known_on": ["", "2025-06-02", "2025-06-03"],
        "replaced_by": ["", "", "", "bede"],
    },
    "circumstances": {
        "kind": ["smoking", "Smoking", "housing"],
        "value": ["Current smoker", "no", "see notes", ""],
        "from_on": DAY,
        "known_on": KNOWN,
    },
    "referrals": {
        "referral_id": ["r", "s", "r "],
        "team_id": ["T1", "T1 ", "T9"],
        "opened_on": DAY,
        "closed_on": ANY_DAY,
        "close_reason": ["", "planned_end", "moved"],
        "known_on": KNOWN,
    },
    "contacts": {
        "contact_id": ["c", "d"],
        "team_id": ["", "T1"],
        "contact_on": DAY,
        "mode": ["", "video", "phone"],
        "kind": ["routine", ""],
        "outcome": ["attended", "DNA", "planned", "??"],
        "known_on": KNOWN,
    },
    "supplies": {
        "medicine": ["clozapine", "Clozaril", "newmab"],
        "kind": ["", "prescribed", "dispensed", "gone"],
        "supplied_on": DAY,
        "days_supplied": ["", "28", "-28", "one month"],
        "daily_dose_mg": ["", "300", "25"],
        "quantity": ["", "84", "42", "-42"],
        "status": ["", "", "returned", "part returned", "refused", "reversed", "odd"],
        "known_on": KNOWN,
    },
    "results": {
        "test": ["anc", "lithium_level", "mystery"],
        "taken_on": DAY,
        "value": ["0.4", "<0.5", "trace", ""],
        "unit": ["10^9/L", "mmol/L", ""],
        "known_on": KNOWN,
    },
    "stays": {
        "admitted_on": DAY,
        "discharged_on": ANY_DAY,
        "ward": ["", "acute", "place_of_safety"],
        "method": ["emergency", "walked in"],
        "known_on": KNOWN,
    },
    "conditions": {
        "category": ["allergy", "diagnosis", "alergy"],
        "code": ["", "F20.0"],
        "label": ["", "penicillin"],
        "recorded_on": DAY,
        "known_on": KNOWN,
    },
}
TEAMS = {"team_id": ["T1", "T1 ", "T2", ""], "name": ["", "North", "South"], "kind": ["A06", ""]}


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    """Rows of all nine tables from few words, so that they often meet, contradict each other and cannot be read."""
    found: Extract = {}
    for name, pool in {**POOLS, "teams": TEAMS}.items():
        if name not in ("patients", "teams"):
            pool = {"patient_id": ["anna", "bede", "cuth", "anna ", "stranger", ""]} | pool
        row = st.fixed_dictionaries({column: st.sampled_from(words) for column, words in pool.items()})
        found[name] = draw(st.lists(row, min_size=1, max_size=5))
    return found


def again(extract: Extract, seed: int) -> Extract:
    """The same rows in another order, some of them more than once."""
    draw = random.Random(seed)
    found = {}
    for name, rows in extract.items():
        more = rows + draw.choices(rows, k=draw.randrange(4))
        found[name] = draw.sample(more, len(more))
    return found


def split(extract: Extract, folder: Path, seed: int) -> Path:
    """As files: half of the tables in one, the others in a folder of two or three."""
    draw = random.Random(seed)
    for name, rows in extract.items():
        columns = list(rows[0])
        parts = [rows] if draw.random() < 0.5 else [part for i in range(3) if (part := rows[i::3])]
        for place, part in enumerate(parts):
            path = folder / f"{name}.csv" if len(parts) == 1 else folder / name / f"{place}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(part, columns=columns).to_csv(path, index=False)
    return folder


def stored(records: Records, folder: Path) -> dict[str, bytes]:
    """The bytes of every table of the store and of what was not understood."""
    store = records.save(folder)
    return {path.name: path.read_bytes() for path in sorted(store.glob("*.parquet"))}


def features(records: Records) -> np.ndarray:
    people = [one for one in records.patient_ids for _ in range(3)]
    days = pd.to_datetime(["2025-03-15", "2025-04-20", "2025-06-20"] * len(records))
    return build(records, pd.DataFrame({"patient_id": people, "as_of": days}), threads=1).values


@settings(max_examples=examples(10), deadline=None)
@given(extract=extracts(), seed=st.integers(0, 999))
def test_any_order_any_files_and_any_resending_give_one_store(extract, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("law")
    first = Records.from_frames(
        {name: pd.DataFrame(rows, dtype="object") for name, rows in extract.items()}, today=TODAY
    )
    second = Records.load(split(again(extract, seed), folder / "extract", seed), today=TODAY)
    assert stored(second, folder / "second") == stored(first, folder / "first")
    np.testing.assert_array_equal(features(second), features(first))
    for name in TABLES:
        for report in (first.report.tables[name], second.report.tables[name]):
            assert report.read == report.kept + report.set_aside + report.replaced + report.merged, name
