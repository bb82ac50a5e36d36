"""A table as given whose columns are read one at a time, so that it is never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class ColumnTable(Mapping[str, pd.Series]):
    """``read`` returns one column, every time anew. ``names`` are those of the columns, ``rows`` is their length."""

    rows: int
    names: tuple[str, ...]
    read: Callable[[str], pd.Series]

    def __getitem__(self, name: str) -> pd.Series:
        if name not in self.names:
            raise KeyError(name)
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __len__(self) -> int:
        return len(self.names)


Frame = pd.DataFrame | ColumnTable
