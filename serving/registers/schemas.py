"""Registers and the week as they leave the service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from serving.runs.schemas import RunInfo
from serving.summaries.schemas import DueShown, RegisterShown
from serving.worklists.schemas import GapLine


class RegisterName(StrEnum):
    """The registers, as an address names them."""

    CLOZAPINE = "clozapine"
    LITHIUM = "lithium"
    INJECTIONS = "injections"
    VALPROATE = "valproate"
    HIGH_DOSE = "high-dose"
    INTERACTIONS = "interactions"


QT_GAP = "BP_PULSE_QTC"
"""It covers a pair that lengthens the QT interval while no ECG watches it (features/gaps/rules/prescribing)."""


@dataclass(frozen=True)
class Headings:
    """What a register is called, and what its columns hold. An empty heading is a column that it has not."""

    title: str
    last: str
    next: str
    result: str
    trend: str
    codes: tuple[str, ...]
    """The care gaps that are this register's: they make the status of a row."""


HEADINGS: Mapping[RegisterName, Headings] = {
    RegisterName.CLOZAPINE: Headings(
        "Clozapine",
        "Last blood count",
        "Next blood count",
        "Result",
        "Neutrophils",
        ("CLZ_FBC_OVERDUE", "CLZ_BREAK", "CLZ_RESULT_RED_AMBER", "CLZ_LEVEL_SMOKING", "CLZ_GI_HYPOMOTILITY"),
    ),
    RegisterName.LITHIUM: Headings(
        "Lithium",
        "Last level",
        "Next level",
        "Level",
        "Levels",
        ("LI_LEVEL_OVERDUE", "LI_LEVEL_ABNORMAL", "LI_RENAL_THYROID_CALCIUM"),
    ),
    RegisterName.INJECTIONS: Headings(
        "Long-acting injections",
        "Last given",
        "Next due",
        "Dose and last time",
        "Days late",
        ("LAI_OVERDUE", "LAI_SAFE_USE"),
    ),
    RegisterName.VALPROATE: Headings(
        "Valproate and topiramate",
        "Last annual form",
        "Next annual form",
        "Programme",
        "",
        ("VALPROATE_PPP", "PREGNANCY_RISK"),
    ),
    RegisterName.HIGH_DOSE: Headings(
        "High-dose antipsychotics", "Last ECG", "Next ECG", "Dose in all", "QTc", ("HDAT", "BP_PULSE_QTC")
    ),
    RegisterName.INTERACTIONS: Headings(
        "Interactions",
        "Together since",
        "",
        "The most serious pair",
        "",
        ("INTERACTION_NEW", "INTERACTION_STANDING", QT_GAP),
    ),
}


class RegisterSort(StrEnum):
    """The column that a register is sorted by. As it opens, what is next comes first."""

    NEXT = "next"
    NAME = "name"
    LAST = "last"
    STATUS = "status"


class RegisterStatus(StrEnum):
    """What a register is cut to."""

    GAP = "gap"
    NO_GAP = "no-gap"
    DUE = "due"


@dataclass(frozen=True)
class RegisterEntry:
    """One person on a register. ``gaps`` are the open care gaps of this register, the worst first."""

    patient_id: str
    team_id: str
    team_name: str
    row: RegisterShown
    medicines: tuple[str, ...]
    gaps: tuple[GapLine, ...]

    @property
    def trend_words(self) -> str:
        """``3.9, 3.4, 3.2``, oldest first; empty where there are not two numbers."""
        numbers = [f"{value:g}" for _, value in self.row.trend]
        return ", ".join(numbers) if len(numbers) > 1 else ""


@dataclass(frozen=True)
class TeamChoice:
    """A team of the caller's."""

    team_id: str
    name: str


@dataclass(frozen=True)
class RegisterFound:
    """A register over some teams, one row a person. ``schedule`` names what sets the days of the next checks, and the
    day on which that was checked; empty where the register does not follow a schedule that a trust chooses."""

    run: RunInfo
    register: RegisterName
    headings: Headings
    teams: tuple[TeamChoice, ...]
    team_id: str
    items: tuple[RegisterEntry, ...]
    total: int
    schedule: str = ""


@dataclass(frozen=True)
class DueOfPerson:
    """What falls due for one person on one day."""

    patient_id: str
    team_name: str
    dues: tuple[DueShown, ...]


@dataclass(frozen=True)
class DueDay:
    """A day and what falls due on it, a line a person; ``on`` is None for what was due before and is not late enough to
    be a gap. ``supplies`` are those of medicines whose running out is no danger within days; a page folds them."""

    on: dt.date | None
    items: tuple[DueOfPerson, ...]
    supplies: tuple[DueOfPerson, ...]


@dataclass(frozen=True)
class WeekFound:
    """What falls due in the days from the list's own day, by day."""

    run: RunInfo
    teams: tuple[TeamChoice, ...]
    team_id: str
    days: int
    by_day: tuple[DueDay, ...]
    people: int
