"""Compares how often each code fires on a caseload with its budget, so that pages do not show too much overdue or
missing care.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.gaps import CODES, gaps_of
from features.gaps.codes import ANNUAL_REVIEWS, SHOWN_LIMIT, SHOWN_MEAN_LIMIT
from features.records import Records


@dataclass(frozen=True)
class CodeShare:
    """One code: the people on whom it fires, and those to whom a page shows it without being asked, as shares of a
    caseload.
    """

    code: str
    people: int
    share: float
    shown_share: float
    budget: float
    budget_reason: str

    @property
    def within(self) -> bool:
        """True if the code is within its budget and shown on few enough people. The limit is higher for yearly
        reviews.
        """
        return self.share <= self.budget and (self.shown_share <= SHOWN_LIMIT or self.code in ANNUAL_REVIEWS)


@dataclass(frozen=True)
class Prevalence:
    """``people`` on the caseload, gaps a person (all, and those that a page shows unasked), and each code."""

    people: int
    gaps_a_person: float
    shown_a_person: float
    codes: tuple[CodeShare, ...]

    @property
    def within(self) -> bool:
        return self.shown_a_person <= SHOWN_MEAN_LIMIT and all(code.within for code in self.codes)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "codes": [{**asdict(code), "within": code.within} for code in self.codes]}

    def lines(self) -> list[str]:
        """The table as text, the most frequent code first."""
        found = [
            f"{self.people:,} people; {self.gaps_a_person:.2f} gaps a person, {self.shown_a_person:.2f} shown",
            f"{'code':<28}{'people':>8}{'share':>8}{'shown':>8}{'budget':>8}",
        ]
        for row in self.codes:
            shares = f"{row.share:>8.1%}{row.shown_share:>8.1%}{row.budget:>8.0%}"
            found.append(f"{row.code:<28}{row.people:>8,}{shares}{'' if row.within else '  over'}")
        return found


def caseload(records: Records, as_of: int) -> list[int]:
    """Positions of the people alive, with an open referral, as known at 00:00 of a day number."""
    records = records.as_known(as_of, ("referrals",))
    referrals, patients = records.columns("referrals"), records.columns("patients")
    started = (referrals["opened_on"] < as_of) & (referrals["known_on"] < as_of)
    closed = (referrals["closed_on"] < as_of) & (referrals["closed_known_on"] < as_of)
    closed &= referrals["closed_on"] >= referrals["opened_on"]
    counts = np.diff(records.offsets("referrals"))
    owner = np.repeat(np.arange(len(counts)), counts)
    inside = np.zeros(len(counts), bool)
    inside[owner[started & ~closed]] = True
    died = patients["died_on"]
    dead = died < as_of
    return np.flatnonzero(inside & ~dead).tolist()


def prevalence(records: Records, as_of: int, places: Sequence[int] | None = None) -> Prevalence:
    """How often each code fires among the people at ``places`` (the caseload of the day by default)."""
    chosen = caseload(records, as_of) if places is None else list(places)
    found = gaps_of(records, np.array(chosen, np.int64), as_of)
    fires = Counter(gap.code.code for gaps in found for gap in gaps)
    shown = Counter(gap.code.code for gaps in found for gap in gaps if gap.shown(as_of))
    people = max(len(chosen), 1)
    rows = [
        CodeShare(
            code, fires[code], fires[code] / people, shown[code] / people, CODES[code].budget, CODES[code].budget_reason
        )
        for code in CODES
    ]
    rows.sort(key=lambda row: (-row.people, row.code))
    return Prevalence(len(chosen), fires.total() / people, shown.total() / people, tuple(rows))
