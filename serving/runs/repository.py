"""All queries over runs: find, write and publish a run, and read the earlier runs and reviews that a new run needs.

Only the nightly run reads rows about people here, in its own transaction, and never on behalf of a caller.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Table, delete, func, insert, literal, null, select, update

from serving.storage.explanations import forget
from serving.storage.tables import (
    erasures,
    gaps,
    list_draws,
    list_exits,
    list_lines,
    people,
    person_groups,
    publications,
    refusals,
    reviews,
    run_teams,
    runs,
    scores,
    summaries,
    timelines,
)
from serving.storage.visible import review_counts

CHUNK = 2_000
SCORED: tuple[Table, ...] = (people, scores, gaps, timelines, person_groups, summaries)
"""The tables of what a run found about each person, in the order of writing."""
LISTED: tuple[Table, ...] = (list_lines, list_exits, list_draws)
"""The tables of a run's lists."""
ABOUT_PEOPLE = (*SCORED, *LISTED)
"""Everything that a run writes about people. Deletion takes the opposite order."""
EXPLAINED: tuple[tuple[Table, dict[str, Any]], ...] = (
    (people, {"feature_values": b""} | dict.fromkeys(("feature_days", "behind", "what_if", "records_hash"), null())),
    (scores, {"contributions": b"", "reasons": []}),
)
"""The explanations of a run, which are most of its size, and what replaces each when they are deleted."""


CURRENT = (
    select(runs, publications.c.published_at)
    .join(publications, publications.c.run_id == runs.c.run_id)
    .order_by(publications.c.publication_id.desc())
    .limit(1)
)


def find_run(connection: Connection, run_id: str) -> Row[Any] | None:
    """The run with that id, if whole; None if it was never made, or only its thinned rest exists."""
    return connection.execute(select(runs).where(runs.c.run_id == run_id, runs.c.thinned_at.is_(None))).first()


def current_run(connection: Connection) -> Row[Any] | None:
    """The run that everybody sees now, with ``published_at``; None before the first publication."""
    return connection.execute(CURRENT).first()


def run_before(connection: Connection, run_id: str, as_of: dt.date) -> Row[Any] | None:
    """The run that was published last for ``as_of`` or an earlier day, except this one. Its list is the one to
    continue.
    """
    query = (
        select(runs)
        .join(publications, publications.c.run_id == runs.c.run_id)
        .where(runs.c.as_of <= as_of, runs.c.run_id != run_id)
        .order_by(publications.c.publication_id.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def lines_of(connection: Connection, run_id: str) -> list[Row[Any]]:
    """Every line of the list of a run."""
    return list(connection.execute(select(list_lines).where(list_lines.c.run_id == run_id)).all())


def draws_since(connection: Connection, run_id: str, after: dt.date, until: dt.date) -> list[Row[Any]]:
    """Rows of published draws after ``after`` and until ``until``, newest first, without those of ``run_id``."""
    query = (
        select(list_draws)
        .where(
            list_draws.c.drawn_on > after,
            list_draws.c.drawn_on <= until,
            list_draws.c.run_id != run_id,
            list_draws.c.run_id.in_(select(publications.c.run_id)),
        )
        .order_by(list_draws.c.drawn_on.desc(), list_draws.c.patient_id)
    )
    return list(connection.execute(query))


def newest_reviews(connection: Connection) -> list[Row[Any]]:
    """patient_id, reviewed_at, snooze_until and run_id of everybody's newest review, in the valid version."""
    newest = func.row_number().over(
        partition_by=reviews.c.patient_id, order_by=(reviews.c.reviewed_at.desc(), reviews.c.review_id)
    )
    counted = (
        select(reviews.c.patient_id, reviews.c.reviewed_at, reviews.c.snooze_until, reviews.c.run_id, newest.label("n"))
        .where(review_counts())
        .subquery()
    )
    return list(connection.execute(select(counted).where(counted.c.n == 1)))


def codes_at_review(connection: Connection, severity: str) -> list[Row[Any]]:
    """(patient, run, code): the safety gaps of one severity in the runs under which people were reviewed."""
    query = select(gaps.c.patient_id, gaps.c.run_id, gaps.c.code).where(
        gaps.c.safety.is_(True),
        gaps.c.severity == severity,
        select(reviews.c.review_id)
        .where(reviews.c.run_id == gaps.c.run_id, reviews.c.patient_id == gaps.c.patient_id)
        .exists(),
    )
    return list(connection.execute(query))


def begin_run(connection: Connection, run: dict[str, Any], teams: list[dict[str, Any]]) -> None:
    """Inserts a run and its teams (the columns of ``run_teams`` without ``run_id``) inside the caller's transaction,
    and removes the thinned rest of the same run."""
    run_id = run["run_id"]
    rest = connection.execute(update(runs).where(runs.c.run_id == run_id).values({**run, "thinned_at": None}))
    if rest.rowcount:
        for table in (*reversed(ABOUT_PEOPLE), run_teams):
            connection.execute(delete(table).where(table.c.run_id == run_id))
    else:
        connection.execute(insert(runs), run)
    insert_rows(connection, run_teams, ({"run_id": run_id, **row} for row in teams))


def end_run(
    connection: Connection, run_id: str, summary: dict[str, Any], lists: Mapping[Table, list[dict[str, Any]]]
) -> None:
    """Adds the lists, as rows of the tables in ``LISTED`` without ``run_id``, and the summary of a run begun in the
    same transaction."""
    for table in LISTED:
        insert_rows(connection, table, ({"run_id": run_id, **row} for row in lists.get(table, ())))
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(summary=summary))


def whole_runs_of(connection: Connection, bundle_id: str, as_of: dt.date) -> list[Row[Any]]:
    """The runs of one bundle for one day that still have their explanations, the newest first."""
    mine = (runs.c.bundle_id == bundle_id) & (runs.c.as_of == as_of) & runs.c.thinned_at.is_(None)
    return list(connection.execute(select(runs).where(mine).order_by(runs.c.finished_at.desc())))


def hashes_of(connection: Connection, run_id: str) -> dict[tuple[str, str], bytes | None]:
    """The hash of each person's records in a run, by patient and team."""
    query = select(people.c.patient_id, people.c.team_id, people.c.records_hash).where(people.c.run_id == run_id)
    return {(patient, team): found for patient, team, found in connection.execute(query).all()}


def copy_people(connection: Connection, before: str, run_id: str, patients: Sequence[str]) -> None:
    """Copies what the run ``before`` found about some people to the run ``run_id``."""
    for table in SCORED:
        names = [column.name for column in table.columns if column.name != "run_id"]
        columns = [table.c[name] for name in names]
        for first in range(0, len(patients), CHUNK):
            mine = (table.c.run_id == before) & table.c.patient_id.in_(patients[first : first + CHUNK])
            rows = select(literal(run_id), *columns).where(mine)
            connection.execute(insert(table).from_select(["run_id", *names], rows))


def publish(connection: Connection, run_id: str, at: dt.datetime) -> None:
    """Makes ``run_id`` the published run. The newest row counts, so the history of publications stays."""
    connection.execute(insert(publications), {"run_id": run_id, "published_at": at})


def refuse(connection: Connection, run_id: str, as_of: dt.date, reasons: list[str], at: dt.datetime) -> None:
    """Records that a run was refused, and why, until a list is published."""
    connection.execute(insert(refusals), {"run_id": run_id, "as_of": as_of, "reasons": reasons, "refused_at": at})


def newest_refusal(connection: Connection) -> Row[Any] | None:
    """The newest refused run (as_of, reasons, refused_at); None if a list was published since."""
    row = connection.execute(select(refusals).order_by(refusals.c.refusal_id.desc()).limit(1)).first()
    now = current_run(connection)
    return None if row is None or (now is not None and now.published_at >= row.refused_at) else row


def thin(connection: Connection, finished_before: dt.datetime, at: dt.datetime) -> int:
    """Deletes explanations and pictures of every run that finished before then and is not published now. Returns how
    many runs.

    Risks, ranks, gaps and who was listed stay, because trends, reviews and later lists read them.
    """
    now = current_run(connection)
    old = select(runs.c.run_id).where(runs.c.thinned_at.is_(None), runs.c.finished_at < finished_before)
    found = [run_id for run_id in connection.scalars(old) if now is None or run_id != now.run_id]
    for run_id in found:
        forget(connection, run_id)
        for table, rest in EXPLAINED:
            connection.execute(update(table).where(table.c.run_id == run_id).values(rest))
        for table in (timelines, summaries):
            connection.execute(delete(table).where(table.c.run_id == run_id))
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(thinned_at=at))
    return len(found)


def erased_key(patient_id: str) -> str:
    """The hash by which an erased person is known. Anybody who knows the id can make it; it keeps nobody secret."""
    return hashlib.sha256(f"erased\n{patient_id}".encode()).hexdigest()


def erased_people(connection: Connection) -> frozenset[str]:
    """``erased_key`` of everybody who was erased."""
    return frozenset(connection.scalars(select(erasures.c.person_sha256)))


def pack(values: np.ndarray) -> bytes:
    """Numbers as little-endian float64: exact, compact, the same on every machine."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def unpack(data: bytes) -> list[float]:
    return np.frombuffer(data, dtype="<f8").tolist()


def pack_days(days: np.ndarray) -> bytes:
    """Day numbers as little-endian int32."""
    return np.ascontiguousarray(days, dtype="<i4").tobytes()


def unpack_days(data: bytes | None) -> list[int]:
    return [] if data is None else np.frombuffer(data, dtype="<i4").tolist()


def insert_rows(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Inserts a stream of rows, one chunk in memory at a time."""
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            connection.execute(insert(table), chunk)
            chunk = []
    if chunk:
        connection.execute(insert(table), chunk)
