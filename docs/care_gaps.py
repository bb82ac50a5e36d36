"""Measures how often each care gap fires on the caseload of a store, for docs/gaps.md:
``python docs/generate.py --gaps STORE``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from features import Records
from features.gaps import people_with_gaps
from features.gaps.prevalence import caseload, prevalence

MEASURED = Path(__file__).resolve().parent / "measured" / "gaps.json"
UNTREATED_DAYS = (91, 730)
"""How long ago the antipsychotic cover ended of those who must have the gap that says so."""


def measure(store: Path) -> None:
    """Replace what ``measured/gaps.json`` says of the rules as they are now, on the last day that the store knows. What
    it says of the rules before stays: the code of 98e9a48 found it in the same store, with its own ``gaps_of`` and this
    caseload, and has to do so again when the simulated trust changes.
    """
    records = Records.load(store)
    day = records.last_day_known()
    found = prevalence(records, day)
    with_gap, people = untreated(records, day)
    kept = json.loads(MEASURED.read_text(encoding="utf-8"))
    if found.people != kept["people"]:
        raise SystemExit(
            f"{store} has {found.people:,} people on the caseload, and the shares before are those of "
            f"{kept['people']:,}: give the store that {kept['trust']!r} makes."
        )
    after = {
        "gaps_a_person": round(found.gaps_a_person, 2),
        "shown_a_person": round(found.shown_a_person, 2),
        "share": {row.code: round(row.share, 4) for row in found.codes},
        "shown": {row.code: round(row.shown_share, 4) for row in found.codes},
    }
    kept |= {"after": after, "untreated": {"people": people, "with_the_gap": with_gap}}
    MEASURED.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def untreated(records: Records, day: int) -> tuple[int, int]:
    """Of people on the caseload with coded psychosis or bipolar disorder whose antipsychotic cover ended 91 to 730 days
    ago: how many have the gap that says so, and how many they are.
    """
    found = people = 0
    for person, gaps in people_with_gaps(records, np.array(caseload(records, day), np.int64), day):
        if not (person.diagnosed("psychosis") or person.diagnosed("bipolar")):
            continue
        ended = [c.end for c in person.courses if c.medicine.is_antipsychotic and not c.required]
        if ended and UNTREATED_DAYS[0] <= day - max(ended) <= UNTREATED_DAYS[1]:
            people += 1
            found += any(gap.code.code == "NO_ANTIPSYCHOTIC" for gap in gaps)
    return found, people
