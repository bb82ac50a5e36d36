"""Features of the schedule: which monitoring feature reads which items, and the loop that fills their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from features.kernels import schedule
from features.monitoring.due_dates import Dues, grace_days, items, select, tests
from features.spec import Feature, SpecError

VERBS = {
    "days_past_due": schedule.DAYS_PAST_DUE,
    "tests_due": schedule.TESTS_DUE,
    "tests_overdue": schedule.TESTS_OVERDUE,
    "tests_unsure": schedule.TESTS_UNSURE,
    "complete_share": schedule.COMPLETE_SHARE,
    "blood_colour": schedule.BLOOD_COLOUR,
}


@dataclass(frozen=True)
class ScheduleFeatures:
    """Maps each monitoring feature to its verb, its output column and the group of items that it reads, and lists the
    groups of item ``i`` (``readers[first[i]:first[i + 1]]``). Features of one scope and the same tests share a group.
    """

    verbs: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    readers: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    @classmethod
    def of(cls, placed: Sequence[tuple[int, Feature]]) -> ScheduleFeatures:
        """The mapping for features and their columns. Raises SpecError for a feature that no protocol row schedules."""
        chosen = [select(feature.scope, feature.tests) for _, feature in placed]
        for (_, feature), mine in zip(placed, chosen, strict=True):
            if not mine:
                raise SpecError(
                    f"{feature.name}: no protocol schedules {', '.join(feature.tests) or 'anything'} for "
                    f"{feature.scope or 'anyone'}"
                )
        groups = list(dict.fromkeys(map(tuple, chosen)))
        readers = [[g for g, mine in enumerate(groups) if item in mine] for item in range(len(items()))]
        return cls(
            np.array([VERBS[feature.verb] for _, feature in placed], np.int64),
            np.array([groups.index(tuple(mine)) for mine in chosen], np.int64),
            np.cumsum([0, *map(len, readers)]),
            np.array([g for reading in readers for g in reading], np.int64),
            np.array([column for column, _ in placed], np.int64),
        )

    def fill(
        self,
        dues: Dues,
        as_of: npt.NDArray[np.int32],
        rows: npt.NDArray[np.int64],
        values: npt.NDArray[np.float32],
    ) -> None:
        """Writes the features of each row of ``dues`` into ``values[rows]``; NaN if nothing is scheduled."""
        situation = dues.situation
        schedule.verbs_kernel(
            dues.day,
            dues.protocol,
            dues.unsure,
            situation.counted,
            situation.colour[0],
            grace_days(),
            _test_of(),
            self.verbs,
            self.group,
            self.first,
            self.readers,
            as_of,
            rows,
            self.columns,
            values,
        )


@cache
def _test_of() -> npt.NDArray[np.int32]:
    """The test of each item by its position; two items with one test count once."""
    return np.array([tests().index(item.test) for item in items()], np.int32)
