"""A date as three fields (day, month and year), as the NHS design system recommends."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class DateParts:
    """What was typed into the three fields; kept as it is, so that it can be shown again."""

    day: str = ""
    month: str = ""
    year: str = ""

    @classmethod
    def of(cls, day: dt.date | None) -> DateParts:
        return cls() if day is None else cls(str(day.day), str(day.month), str(day.year))

    @property
    def is_empty(self) -> bool:
        return not (self.day.strip() or self.month.strip() or self.year.strip())

    def read(self) -> dt.date | None:
        """The date, or None if the fields are empty. Raises ``ValueError`` if it is not a date."""
        if self.is_empty:
            return None
        parts = [part.strip() for part in (self.year, self.month, self.day)]
        if not all(part.isascii() and part.isdigit() for part in parts) or len(parts[0]) != 4:
            raise ValueError("a day, a month and a year of four digits, as numbers")
        year, month, day = (int(part) for part in parts)
        return dt.date(year, month, day)
