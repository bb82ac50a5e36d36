"""All queries of the decision support. Those over people start at ``visible_people``."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, BindParameter, Connection, Row, Select, and_, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from serving.identity.callers import Caller
from serving.storage.explanations import of_row, whole
from serving.storage.tables import card_feedback, cards, gaps, list_lines, score_explanations, scores
from serving.storage.visible import KEPT, of_seen, visible_people

# Each query is made once for what a client may see: making it anew for each call took longer than running it.
PERSON: BindParameter[str] = bindparam("person")


def place(connection: Connection, caller: Caller, patient_id: str) -> Any | None:
    """``team_id``, ``run_id`` and the place on the list (None where lists were not kept) of somebody the caller may
    see; None for anybody else."""
    return connection.execute(_place(visible_people(caller)), {"person": patient_id}).first()


@lru_cache(maxsize=KEPT)
def _place(visible: CTE) -> Select[Any]:
    return (
        select(visible.c.team_id, visible.c.run_id, list_lines.c.standing, list_lines.c.place)
        .outerjoin(
            list_lines,
            and_(
                list_lines.c.run_id == visible.c.run_id,
                list_lines.c.patient_id == visible.c.patient_id,
                list_lines.c.team_id == visible.c.team_id,
            ),
        )
        .where(visible.c.patient_id == PERSON)
        .order_by(visible.c.team_id)
    )


def risk(connection: Connection, caller: Caller, patient_id: str, outcome: str, horizon: int) -> Any | None:
    """``probability`` and ``reasons`` of one outcome and horizon of the published run."""
    asked = {"person": patient_id, "outcome": outcome, "horizon": horizon}
    return connection.execute(_risk(visible_people(caller)), asked).first()


@lru_cache(maxsize=KEPT)
def _risk(visible: CTE) -> Select[Any]:
    found = select(scores.c.probability, *whole(scores, "reasons")).outerjoin(score_explanations, of_row(scores))
    return found.where(
        of_seen(visible, scores),
        scores.c.patient_id == PERSON,
        scores.c.outcome == bindparam("outcome"),
        scores.c.horizon_days == bindparam("horizon"),
    )


def shown_gaps(connection: Connection, caller: Caller, patient_id: str) -> list[Row[Any]]:
    """The care gaps of the published run that a page shows without being asked, in the page's order."""
    return list(connection.execute(_shown_gaps(visible_people(caller)), {"person": patient_id}).all())


@lru_cache(maxsize=KEPT)
def _shown_gaps(visible: CTE) -> Select[Any]:
    return (
        select(gaps)
        .where(of_seen(visible, gaps), gaps.c.patient_id == PERSON, gaps.c.shown.is_(True))
        .order_by(gaps.c.position)
    )


def add_cards(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(cards), rows)


def shown_to(connection: Connection, client: str, service: str, card_id: str) -> bool:
    """True if this service showed the card to this client. Does not reveal the card's person."""
    query = select(cards.c.card_id).where(
        cards.c.card_id == card_id, cards.c.client == client, cards.c.service == service
    )
    return connection.execute(query).first() is not None


def add_feedback(connection: Connection, row: dict[str, Any]) -> bool:
    """Store one entry. False where the same card, outcome and moment was stored before."""
    try:
        with connection.begin_nested():
            connection.execute(insert(card_feedback), row)
    except IntegrityError:
        return False
    return True


def feedback_since(connection: Connection, since: dt.datetime) -> list[Row[Any]]:
    """Every entry received since a moment, oldest first. Entries name cards, not people."""
    query = select(card_feedback).where(card_feedback.c.received_at >= since)
    return list(connection.execute(query.order_by(card_feedback.c.received_at, card_feedback.c.card_id)))
