"""The filters of the worklist page: what each select offers, with how many people it leaves, and the words for what is
chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serving.worklists.schemas import FilterChoice, FilterChoices, Filters, Reviewed, WorkOf

REVIEWED = {
    Reviewed.NEVER: "No review recorded",
    Reviewed.NOT_MONTH: "Not in the last 28 days",
    Reviewed.WEEK: "In the last 7 days",
    Reviewed.MONTH: "In the last 28 days",
}
WORK = {
    WorkOf.MINE: "Given to me",
    WorkOf.THIS_WEEK: "To do this week",
    WorkOf.NOBODY: "Given to nobody",
}


@dataclass(frozen=True)
class FilterField:
    """One select. ``chosen`` is the words of what is chosen, empty for none."""

    name: str
    label: str
    items: list[dict[str, Any]]
    chosen: str


def filter_fields(given: Filters, choices: FilterChoices) -> list[FilterField]:
    """The filters, in the order of the form. A chosen filter stays an option even if it leaves nobody."""
    reviewed = [FilterChoice(value=value, label=label, people=-1) for value, label in REVIEWED.items()]
    work = [FilterChoice(value=value, label=label, people=-1) for value, label in WORK.items()]
    fields = (
        ("gap", "Overdue or missing", given.gap, choices.gap),
        ("reason", "Reason that raises", given.reason, choices.reason),
        ("medicine", "Medicine held", given.medicine, choices.medicine),
        ("reviewed", "Reviewed", given.reviewed, reviewed),
        ("work", "Who has them", given.work, work),
    )
    return [_field(name, label, str(value or ""), offered) for name, label, value, offered in fields]


def _field(name: str, label: str, value: str, offered: list[FilterChoice]) -> FilterField:
    items: list[dict[str, Any]] = [{"value": "", "text": "Any"}]
    chosen = ""
    for choice in offered:
        text = choice.label[:1].upper() + choice.label[1:]
        if choice.value == value:
            chosen = text
        counted = text if choice.people < 0 else f"{text} ({choice.people})"
        items.append({"value": choice.value, "text": counted, "selected": choice.value == value})
    if value and not chosen:
        chosen = "something nobody on this list has"
        items.append({"value": value, "text": "What the address asks for (0)", "selected": True})
    return FilterField(name, label, items, chosen)
