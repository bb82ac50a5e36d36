"""The account of input rows. Each has one fate, so that rows read = mapped + not mapped + set aside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.reading.nhs_numbers import looks_like_one

MAPPED = "mapped to "
NO_CONCEPT = "not mapped: no concept"
NOT_IN_MAPPING = "not mapped: concept not in the mapping"
ASIDE = "set aside: "
NOT_READ = "not read"
VOCABULARY = "used as vocabulary"
NO_ID = "not a concept id"

_CONCEPT_ID = re.compile(r"-?\d+", re.ASCII)
Fates = npt.NDArray[np.object_]
ACCOUNTING_COLUMNS = ("omop_table", "fate", "rows")


@dataclass
class RowFates:
    """Fates by OMOP table (one a row), tables counted whole, and which input row each output row came from."""

    fates: dict[str, Fates] = field(default_factory=dict)
    whole: dict[str, tuple[str, int]] = field(default_factory=dict)
    origins: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    unmapped: list[pd.DataFrame] = field(default_factory=list)

    def came_from(
        self, table: str, omop_table: str, rows: npt.NDArray[np.int64], at: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Output rows ``at`` of our ``table`` (by default: the next ones, in order) came from these input rows."""
        parts = self.origins.setdefault(table, [])
        after = sum(len(part) for part in parts)
        parts.append(
            pd.DataFrame(
                {"omop_table": omop_table, "row": rows, "at": np.arange(len(rows)) + after if at is None else at}
            )
        )

    def not_mapped(self, omop_table: str, concept_ids: pd.Series) -> None:
        """Concept ids of the rows of a table that the mapping does not hold. What stands there and is no id, or is an
        NHS number, is counted under a word for it: somebody may have typed it."""
        given = concept_ids.fillna("0").astype("str")
        named = {
            one: one if _CONCEPT_ID.fullmatch(one) and not looks_like_one(one) else NO_ID for one in given.unique()
        }
        counts = given.map(named).value_counts()
        self.unmapped.append(
            pd.DataFrame({"omop_table": omop_table, "concept_id": counts.index.astype(str), "rows": counts.to_numpy()})
        )

    def accounting(self, fates: dict[str, Fates] | None = None) -> pd.DataFrame:
        """One row per (omop_table, fate): omop_table, fate, rows. Sums to the rows of each table."""
        lines = [
            (table, str(fate), int(count))
            for table, given in (fates or self.fates).items()
            for fate, count in pd.Series(given, dtype="object").value_counts().sort_index().items()
        ]
        lines += [(table, fate, rows) for table, (fate, rows) in sorted(self.whole.items())]
        return pd.DataFrame(lines, columns=list(ACCOUNTING_COLUMNS))

    def settle(self, quarantine: pd.DataFrame) -> pd.DataFrame:
        """The accounting after Records has checked the tables: an input row whose every output row was set aside
        counts as set aside.

        Records keeps a person whose birth date or sex cannot be right and sets the value aside; a date of death set
        aside is a death row's.
        """
        fates = {table: given.copy() for table, given in self.fates.items()}
        for omop_table, row, reason in self._lost(quarantine):
            fates[omop_table][row] = f"{ASIDE}{reason}"
        return self.accounting(fates)

    def _lost(self, quarantine: pd.DataFrame) -> list[tuple[str, int, str]]:
        """Input rows of which nothing was kept: OMOP table, row, reason."""
        if not len(quarantine) or not self.origins:
            return []
        tables = quarantine["table"].where(
            (quarantine["table"] != "patients") | (quarantine["column"] == "patient_id"),
            "patients." + quarantine["column"].astype("str"),
        )
        reasons = quarantine["column"].astype("str") + ": " + quarantine["reason"]
        first = pd.DataFrame({"table": tables, "at": quarantine["row"], "reason": reasons}).drop_duplicates(
            ["table", "at"]
        )
        made = pd.concat(
            [part.assign(table=table) for table, parts in self.origins.items() for part in parts], ignore_index=True
        )
        made = made.merge(first, on=["table", "at"], how="left")
        every = made.groupby(["omop_table", "row"])["reason"]
        lost = pd.DataFrame({"lost": every.count(), "made": every.size(), "reason": every.first()}).reset_index()
        lost = lost[lost["lost"] == lost["made"]]
        return list(
            zip(lost["omop_table"].astype(str), lost["row"].astype(int), lost["reason"].astype(str), strict=True)
        )


def repeated(ids: pd.Series) -> npt.NDArray[np.bool_]:
    """Mask of rows with the primary key of an earlier row."""
    return (ids.notna() & ids.duplicated()).to_numpy(dtype=bool)
