"""A team's list as CSV, for the team lead to take to a meeting. The whole list, audited with everybody on
it."""

from __future__ import annotations

import csv
import io

from starlette.responses import Response

from serving.auditlog.log import Audit
from serving.http.problems import Problem
from serving.identities.keys import IdentityKeys
from serving.identities.schemas import Identity
from serving.identities.service import Names, names_of
from serving.identity.callers import Caller
from serving.storage.database import Database
from serving.worklists.ranking import Ranking
from serving.worklists.schemas import Filters, GapLine, Worklist, WorklistEntry
from serving.worklists.service import shown_on, team_worklist

EVERYBODY = 100_000
COLUMNS = (
    "position",
    "rank",
    "patient_id",
    "outcome",
    "horizon_days",
    "probability",
    "in_words",
    "within_capacity",
    "care_gaps",
    "raises_the_risk",
    "last_seen_on",
    "next_booked_on",
    "last_review_on",
    "last_reviewer",
    "needs",
    "as_of",
    "model_version",
    "synthetic",
)
NAMED = ("name", "birth_date", "nhs_number")
"""Columns of a file that was asked for with names, after the id."""
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export_worklist(
    database: Database,
    caller: Caller,
    audit: Audit,
    team_id: str,
    *,
    outcome: str | None,
    horizon: int | None,
    ranking: Ranking | None,
    filters: Filters,
    keys: IdentityKeys | None = None,
) -> Response:
    """The list as a file, with names where ``keys`` open them. 404 for a team the caller may not see, 403 for one that
    they do not lead; both before anything is read."""
    if not caller.is_beyond(team_id) and team_id not in caller.leads:
        raise Problem(
            403, "not-team-lead", "Only the lead of this team may download its list. Ask them, or read it here."
        )
    found = team_worklist(
        database,
        caller,
        audit,
        team_id,
        outcome=outcome,
        horizon=horizon,
        ranking=ranking,
        filters=filters,
        limit=EVERYBODY,
        offset=0,
        action="worklist.exported",
    )
    headers = {"Content-Disposition": f'attachment; filename="worklist-{found.run.as_of}.csv"'}
    names = names_of(database, caller, keys, shown_on(found)) if keys is not None else None
    return Response(as_csv(found, names), media_type="text/csv; charset=utf-8", headers=headers)


def as_csv(found: Worklist, names: Names | None = None) -> str:
    """One row a person in the order of the list, with what a meeting needs and where it comes from; and who they are
    where ``names`` is given."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS if names is None else (*COLUMNS[:3], *NAMED, *COLUMNS[3:]))
    for entry in found.items:
        row = _row(found, entry)
        if names is not None:
            who = names.get(entry.patient_id, Identity())
            row[3:3] = [who.name, who.birth_date, who.nhs_number]
        writer.writerow([safe(value) for value in row])
    return out.getvalue()


def safe(value: object) -> str:
    """A cell as text. A spreadsheet would run what begins like a formula, so such a cell begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(STARTS_A_FORMULA) else text


def gap_words(gap: GapLine) -> str:
    """A gap as the file names it: its title, the status that holds, and whether its rule is still to be checked."""
    notes = [note for note in (gap.status, None if gap.verified else "not yet verified") if note]
    return f"{gap.title} ({'; '.join(notes)})" if notes else gap.title


def _row(found: Worklist, entry: WorklistEntry) -> list[object]:
    review = entry.last_review
    return [
        entry.position,
        entry.rank,
        entry.patient_id,
        found.outcome,
        found.horizon_days,
        f"{entry.probability:.6f}",
        entry.in_words,
        entry.within_capacity,
        "; ".join(gap_words(gap) for gap in entry.gaps),
        "; ".join(reason.label for reason in entry.reasons if reason.direction == "raises"),
        entry.last_seen_on,
        entry.next_booked_on,
        review.reviewed_at.date() if review else None,
        review.reviewer_name if review else None,
        "; ".join(f"{need.kind}: {need.value}" for need in entry.adjustments),
        found.run.as_of,
        f"{found.run.model_version}, not promoted" if found.run.not_promoted else found.run.model_version,
        found.run.synthetic,
    ]
