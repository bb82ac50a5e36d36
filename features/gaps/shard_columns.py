"""Rows of a shard as columns, and values of one person made of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from features.gaps.events import Due

Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
T = TypeVar("T", bound=tuple[Any, ...])
One = TypeVar("One")


def tuples(kind: type[T], *columns: Iterable[Any]) -> list[T]:
    """Named tuples of one kind, each from the values at one place of its columns. The constructor of a named tuple is
    Python code, which this leaves out."""
    make: Any = partial(tuple.__new__, kind)
    return list(map(make, zip(*columns, strict=True)))


class Visible(NamedTuple):
    """Visible rows of a table, ``who`` (place in the shard) of each, and where those of each person begin."""

    rows: Rows
    who: Rows
    bounds: list[int]


class ResultSegments(NamedTuple):
    """Results of one person and test in turn: whose, which test (its position), and the newest and the least number;
    NaN where there is none."""

    who: Rows
    test: Rows
    newest: npt.NDArray[np.float64]
    least: npt.NDArray[np.float64]


class DueColumns(NamedTuple):
    """Checks whose due day has come: whose, which (position in ``due_dates.items()``), the protocol that asks, the due
    day, the day from which its days count, whether the days of grace are over; and the same as values."""

    who: Rows
    item: Rows
    protocol: npt.NDArray[np.int16]
    day: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]
    past_grace: Bools
    made: list[Due]


def cut(made: list[One], bounds: list[int]) -> list[list[One]]:
    """The parts of a list between each two bounds."""
    return [made[low:high] for low, high in pairwise(bounds)]
