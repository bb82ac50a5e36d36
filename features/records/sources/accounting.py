"""Counts what happened to every source row of a tabular extract: rows read = mapped + merged + left out + set aside."""

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
    """The fate of each source row by table, and the source row that each of our rows came from."""

    fates: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    origins: dict[str, list[tuple[str, npt.NDArray[np.int64]]]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def open(self, table: str, rows: int, fate: str = NOT_READ) -> None:
        """Gives every row of ``table`` its first fate."""
        self.fates[table] = np.full(rows, fate, object)

    def mark(self, table: str, rows: npt.NDArray[Any] | pd.Index, fate: str) -> None:
        self.fates[table][np.asarray(rows)] = fate

    def came_from(self, ours: str, table: str, rows: npt.NDArray[Any] | pd.Index, fate: str | None = None) -> None:
        """Records which rows of ``table`` the next rows of our table came from."""
        places = np.asarray(rows, dtype=np.int64)
        self.origins.setdefault(ours, []).append((table, places))
        self.mark(table, places, f"{MAPPED}{ours}" if fate is None else fate)

    def settle(self, aside: Iterable[SetAside]) -> None:
        """Marks a source row as set aside, with the first reason, when the checks set aside all rows made from it."""
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
        """Number of rows of each source table, in total and by fate."""
        return {
            table: {"rows": len(fates), "fates": dict(sorted(Counter(fates.tolist()).items()))}
            for table, fates in sorted(self.fates.items())
        }

    def lines(self) -> list[str]:
        """The counts as a table for a terminal."""
        out = []
        for table, one in self.report().items():
            fates = "; ".join(f"{fate} {count:,}" for fate, count in one["fates"].items())
            out.append(f"{table:<28}{one['rows']:>9,}  {fates}")
        return out + [f"note: {note} ({count:,})" for note, count in sorted(self.notes.items())]
