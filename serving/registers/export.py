"""A register as CSV, one row a person, for the lead of the teams that are on it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from serving.http.problems import Problem
from serving.identities.schemas import Identity
from serving.identity.callers import Caller
from serving.registers.schemas import RegisterFound
from serving.worklists.export import safe

COLUMNS = (
    "patient_id",
    "team",
    "register",
    "medicines",
    "last",
    "next",
    "result",
    "trend",
    "unit",
    "other",
    "care_gaps",
    "schedule",
    "as_of",
    "synthetic",
)
NOTED = {True: "", False: "; not yet verified"}
NAMED = ("name", "birth_date", "nhs_number")


def require_lead(caller: Caller, team_ids: list[str]) -> None:
    """403 unless the caller leads every one of the teams."""
    if not set(team_ids) <= set(caller.leads):
        raise Problem(403, "not-team-lead", "Only the lead of every team on it may download a register. Ask them.")


def register_csv(found: RegisterFound, names: Mapping[str, Identity] | None = None) -> str:
    """The rows as shown; with who they are where ``names`` is given."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS if names is None else (COLUMNS[0], *NAMED, *COLUMNS[1:]))
    for entry in found.items:
        row = entry.row
        cells: list[object] = [
            entry.patient_id,
            entry.team_name,
            found.headings.title,
            "; ".join(entry.medicines),
            row.last_on,
            row.next_on,
            row.result,
            entry.trend_words,
            row.unit,
            "; ".join(f"{what}: {words}" for what, words in row.more),
            "; ".join(f"{gap.title} ({gap.severity}{NOTED[gap.verified]})" for gap in entry.gaps),
            found.schedule,
            found.run.as_of,
            found.run.synthetic,
        ]
        if names is not None:
            who = names.get(entry.patient_id, Identity())
            cells[1:1] = [who.name, who.birth_date, who.nhs_number]
        writer.writerow([safe(cell) for cell in cells])
    return out.getvalue()
