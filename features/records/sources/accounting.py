"""One fate for every row of an extract made of tables: what came in equals what was mapped, merged, left out and set
aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.problems import SetAside

ASIDE = "set aside: "
MAPPED = "mapped to "
NOT_READ = "not read"


@dataclass
class Account:
    """Fates by source table (one a row), and the source row behind each row of ours."""

    fates: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    origins: dict[str, list[tuple[str, npt.NDArray[np.int64]]]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def open(self, table: str, rows: int, fate: str = NOT_READ) -> None:
        """Every row of ``table`` begins with one fate."""
        self.fates[table] = np.full(rows, fate, object)

    def mark(self, table: str, rows: npt.NDArray[Any] | pd.Index, fate: str) -> None:
        self.fates[table][np.asarray(rows)] = fate

    def came_from(self, ours: str, table: str, rows: npt.NDArray[Any] | pd.Index, fate: str | None = None) -> None:
        """The next rows of our table came from these rows of ``table``."""
        places = np.asarray(rows, dtype=np.int64)
        self.origins.setdefault(ours, []).append((table, places))
        self.mark(table, places, f"{MAPPED}{ours}" if fate is None else fate)

    def settle(self, aside: Iterable[SetAside]) -> None:
        """A source row whose every row of ours the checks set aside counts as set aside, with the first reason."""
        lost: dict[tuple[str, int], str] = {}
        gone: dict[str, dict[int, str]] = {}
        for one in aside:
            if one.table != "patients" or one.column == "patient_id":
                gone.setdefault(one.table, {}).setdefault(one.row, f"{one.column}: {one.reason}")
        kept: set[tuple[str, int]] = set()
        for ours, parts in self.origins.items():
            at = 0
            for table, places in parts:
                for place in places.tolist():
                    reason = gone.get(ours, {}).get(at)
                    at += 1
                    if reason is None:
                        if gone:
                            kept.add((table, place))
                    else:
                        lost.setdefault((table, place), reason)
        for (table, place), reason in lost.items():
            if (table, place) not in kept:
                self.fates[table][place] = f"{ASIDE}{reason}"

    def report(self) -> dict[str, Any]:
        """For each source table its rows and how many met which fate."""
        return {
            table: {"rows": len(fates), "fates": dict(sorted(Counter(fates.tolist()).items()))}
            for table, fates in sorted(self.fates.items())
        }

    def lines(self) -> list[str]:
        """The same for a terminal."""
        out = []
        for table, one in self.report().items():
            fates = "; ".join(f"{fate} {count:,}" for fate, count in one["fates"].items())
            out.append(f"{table:<28}{one['rows']:>9,}  {fates}")
        return out + [f"note: {note} ({count:,})" for note, count in sorted(self.notes.items())]
