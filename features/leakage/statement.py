"""The leakage statement: what was checked and what was found, as JSON for machines and as text for a TRIPOD+AI report.

It names features, codes, tables and dates, but no person and no value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

JSON_NAME, TEXT_NAME = "leakage.json", "leakage.txt"
METHOD = (
    "Each check takes one person and one date. Every row of theirs with an event day or a known_on at or after the "
    "date is deleted, and in a second run "
    "replaced by random other rows at or after it; so are the outcome of a contact, the closure of a referral, the "
    "discharge from a stay and a death "
    "that had not happened or was not known by then. An appointment ahead that was booked and known before the date "
    "stays, without its outcome. Every feature and every care gap, with its dates, values and "
    "evidence rows, must come out identical."
)
NOT_CHECKED = (
    (
        "Birth date, sex, ethnicity, deprivation and the disability flags carry no day in the records and are taken as "
        "they stand."
    ),
    "Reference tables (medicines, protocols, thresholds) and the teams table are those of today.",
    "Whether the extract's own known_on is right: a source that fills it in afterwards is beyond this check.",
)


@dataclass(frozen=True)
class Difference:
    """One feature or gap code that changed with the future: the number of checks, and the first of them by date and
    table.
    """

    name: str
    kind: str
    """feature or gap"""
    way: str
    """deleted or garbled"""
    checks: int
    first_date: str
    first_table: str

    def plus(self, checks: int) -> Difference:
        """The same with more checks."""
        return replace(self, checks=self.checks + checks)


@dataclass(frozen=True)
class Statement:
    """One run of the proof. ``rows_*`` and ``late_parts_*`` count by table, over all checks."""

    checks: int
    people: int
    dates: int
    first_date: str
    last_date: str
    seed: int
    features: int
    gap_codes: int
    gaps_compared: int
    rows_deleted: Mapping[str, int]
    rows_garbled: Mapping[str, int]
    late_parts_deleted: Mapping[str, int]
    late_parts_garbled: Mapping[str, int]
    differences: tuple[Difference, ...]
    catalogue_hash: str
    data_hash: str
    synthetic: bool
    version: str

    @property
    def holds(self) -> bool:
        """True if nothing differed."""
        return not self.differences

    @property
    def verdict(self) -> str:
        if self.holds:
            return "No difference: no feature and no care gap read anything at or after its date."
        names = sorted({difference.name for difference in self.differences})
        return f"LEAK: {len(names)} features or gap codes changed with the future: {', '.join(names)}."

    def as_dict(self) -> dict[str, Any]:
        """The statement as JSON holds it."""
        return {
            "statement": "leakage",
            "verdict": self.verdict,
            "holds": self.holds,
            **asdict(self),
            "method": METHOD,
            "not_checked": list(NOT_CHECKED),
        }

    def lines(self) -> list[str]:
        """The statement as text."""
        lines = ["Leakage statement (TRIPOD+AI: predictors are available at the time of prediction)", ""]
        if self.synthetic:
            lines += ["Synthetic records. None of these people exist.", ""]
        lines += [
            self.verdict,
            "",
            METHOD,
            "",
            (
                f"checks (person, date)   {self.checks:,}: {self.people:,} people, {self.dates:,} dates, "
                f"{self.first_date} to {self.last_date}"
            ),
            (
                f"compared in each        {self.features} features and {self.gap_codes} gap codes "
                f"({self.gaps_compared:,} gaps found in all), twice"
            ),
            f"rows deleted            {_counts(self.rows_deleted)}",
            f"rows garbled            {_counts(self.rows_garbled)}",
            f"late parts deleted      {_counts(self.late_parts_deleted)}",
            f"late parts garbled      {_counts(self.late_parts_garbled)}",
            f"differences             {sum(d.checks for d in self.differences):,}",
        ]
        lines += [
            (
                f"  {d.kind} {d.name}: {d.checks:,} checks, {d.way}; first on {d.first_date} "
                f"({d.first_table or 'no evidence row'})"
            )
            for d in self.differences
        ]
        lines += ["", "Not checked:", *(f"  {line}" for line in NOT_CHECKED), ""]
        return [
            *lines,
            f"catalogue SHA-256       {self.catalogue_hash}",
            f"data SHA-256            {self.data_hash}",
            f"version {self.version}, seed {self.seed}",
        ]

    def write(self, folder: str | Path) -> tuple[Path, Path]:
        """Writes ``leakage.json`` and ``leakage.txt`` and returns where."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        as_json, as_text = folder / JSON_NAME, folder / TEXT_NAME
        as_json.write_text(json.dumps(self.as_dict(), indent=2) + "\n", encoding="utf-8")
        as_text.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")
        return as_json, as_text


def _counts(by_table: Mapping[str, int]) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in by_table.items() if count)
    return f"{sum(by_table.values()):,} ({parts})" if parts else "0"


def version() -> str:
    """Version of this code."""
    try:
        return metadata.version("upstream")
    except metadata.PackageNotFoundError:
        return "unknown"
