"""How long-acting injections are started: a second loading dose, and tablets until the injection works
(``injection_starts.csv``); and the courses of short-acting ones (``injection_courses.csv``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from features.reference.files import ReferenceTableError, days, is_unverified, number, read_rows
from features.reference.medicines.medicines import MEDICINES


@dataclass(frozen=True)
class InjectionStart:
    """One product: days from the first injection. None if the product requires nothing of the kind."""

    medicine: str
    second_dose_day: int | None
    second_dose_window_days: int | None
    oral_cover_days: int | None
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


@cache
def _load() -> dict[str, InjectionStart]:
    loaded = {}
    for row in read_rows("injection_starts"):
        if row["medicine"] not in MEDICINES:
            raise ReferenceTableError(
                f"injection_starts.csv: row {row['medicine']}: not in medicines.csv; add it there"
            )
        loaded[row["medicine"]] = InjectionStart(
            row["medicine"],
            days(row, "second_dose_day", "injection_starts"),
            days(row, "second_dose_window_days", "injection_starts"),
            days(row, "oral_cover_days", "injection_starts"),
            row["source"],
        )
    return loaded


INJECTION_STARTS: dict[str, InjectionStart] = _load()


@dataclass(frozen=True)
class InjectionCourse:
    """The most of a short-acting injection in one course: mg, injections, and days from the first to the last."""

    medicine: str
    most_mg: float
    most_injections: int
    within_days: int
    source: str

    @property
    def verified(self) -> bool:
        return not is_unverified(self.source)


def _course(row: dict[str, str]) -> InjectionCourse:
    most, times = number(row, "most_mg", "injection_courses"), days(row, "most_injections", "injection_courses")
    within = days(row, "within_days", "injection_courses")
    if row["medicine"] not in MEDICINES or most is None or times is None or within is None:
        raise ReferenceTableError(
            f"injection_courses.csv: row {row['medicine']}: name a medicine of medicines.csv and three limits"
        )
    return InjectionCourse(row["medicine"], most, times, within, row["source"])


INJECTION_COURSES: dict[str, InjectionCourse] = {
    row["medicine"]: _course(row) for row in read_rows("injection_courses")
}
