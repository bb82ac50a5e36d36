"""The way back from a person to the list they were opened from, as it was: its order, filters and page.

The address of a person carries the list's query string as ``back``. It comes from a browser, so nothing of it is used
as it is: it is parsed as the list's own route parses it, rebuilt from the result, and used only as the query of a
list.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import ConfigDict, ValidationError

from serving.worklists.endpoints import Limit, Offset, Word
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import DEFAULT_LIMIT, Filters, Sorting, Worklist

MAX_LENGTH = 2_000


class ListView(Filters):
    """What the address of a list holds besides its risk, which the person's page keeps by itself. A name it does not
    know is refused."""

    model_config = ConfigDict(extra="forbid")

    gap: Word = None
    reason: Word = None
    medicine: Word = None
    ranking: Ranking | None = None
    sort: Sorting | None = None
    limit: Limit = DEFAULT_LIMIT
    offset: Offset = 0
    over: Literal["all"] | None = None
    """The list over all of the caller's teams, in place of the person's own team."""

    @property
    def filters(self) -> Filters:
        """What the list is cut to."""
        return Filters(**{name: getattr(self, name) for name in Filters.model_fields})

    @property
    def query(self) -> str:
        """The query string without default values: the first page of the list as published has none."""
        usual = ListView()
        return urlencode({name: value for name, value in self if value != getattr(usual, name)})


def way_back(found: Worklist, sort: Sorting | None = None, over: Literal["all"] | None = None) -> str:
    """The query string of the list that is shown, as it is sorted."""
    published = found.rules.ranking if found.rules else Ranking.RISK
    ranking = None if found.ranking is published else found.ranking
    return ListView(
        ranking=ranking, sort=sort, limit=found.limit, offset=found.offset, over=over, **dict(found.filters)
    ).query


def read_way_back(sent: str) -> str:
    """The query string of a list, rebuilt from what a browser sent. If it is invalid, empty: the list as published."""
    view = read_view(sent) if sent else None
    return "" if view is None else view.query


def read_view(sent: str) -> ListView | None:
    """The list that a browser names, as it is cut and sorted: the list as published for nothing, None for what is no
    list."""
    if len(sent) > MAX_LENGTH:
        return None
    try:
        return ListView.model_validate(dict(parse_qsl(sent, strict_parsing=True)) if sent else {})
    except (ValidationError, ValueError):
        return None


def list_address(team_id: str, view: str, back: str) -> str:
    """The address of the list that a person was opened from, as it was."""
    own = "/teams" if is_over_all(back) else f"/teams/{quote(team_id, safe='')}"
    return f"{own}?view={quote(view)}{'&' + back if back else ''}"


def is_over_all(back: str) -> bool:
    """The list is the one over all of the caller's teams."""
    listed = read_view(back)
    return listed is not None and listed.over is not None


def person_query(view: str, back: str, **more: Any) -> str:
    """The query string of a person's page: the risk to show and the way back."""
    return urlencode({"view": view, **({"back": back} if back else {}), **more})
