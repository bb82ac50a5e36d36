"""What the address of a list asks for, the same for one team and for all teams together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends

from serving.worklists.endpoints import Filtering, Horizon, Limit, Offset, Outcome, View, viewed
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import DEFAULT_LIMIT, Filters, Sorting


@dataclass(frozen=True)
class ListQuery:
    """The choices in the address of a list."""

    outcome: str | None
    horizon: int | None
    ranking: Ranking | None
    filters: Filters
    limit: int
    offset: int
    sort: Sorting | None


async def list_query(
    filtering: Filtering,
    view: View = None,
    outcome: Outcome = None,
    horizon: Horizon = None,
    ranking: Ranking | None = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
    sort: Sorting | Literal[""] | None = None,
) -> ListQuery:
    """``view`` holds outcome and horizon together and wins over both. An empty ``sort`` means the list's own order."""
    outcome, horizon = viewed(view, outcome, horizon)
    return ListQuery(outcome, horizon, ranking, filtering, limit, offset, sort or None)


Asked = Annotated[ListQuery, Depends(list_query)]
