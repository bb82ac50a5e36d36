"""What commands of this package need from the service's tables. ``upstream.py`` hands it over, because training and
serving never import each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ServiceRows:
    """Functions of a home that read the service's tables; each notes its reading in the audit log.

    ``impact`` gives the frames ``draws``, ``reviews`` and ``lines``; ``locks`` when the audit log got each lock;
    ``month`` what a month's report needs; ``exposure`` who had a place and was reviewed since the first list, None
    before it; ``ratings`` the blind ratings that were given on the page.
    """

    impact: Callable[[Path], dict[str, pd.DataFrame]]
    locks: Callable[[Path], Mapping[str, str]]
    month: Callable[[Path], dict[str, Any]]
    exposure: Callable[[Path], dict[str, Any] | None]
    ratings: Callable[[Path], list[dict[str, Any]]]


def rows_of(context: typer.Context) -> ServiceRows:
    """The functions that ``upstream.py`` handed over."""
    found = context.find_object(ServiceRows)
    if found is None:
        raise RuntimeError("no ServiceRows in the context; call the commands through upstream.py")
    return found
