"""Sends cards: each gets an id, links, a row in the table of cards, and entries in the audit and exposure logs. All
are on disk before the response is sent.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from serving.auditlog.log import Along, Audit, Look
from serving.cds import repository
from serving.cds.schemas import CardLink, CardSource, HookCard, HookCards, Indicator
from serving.cds.wording import OVERRIDE_REASONS, short
from serving.identity.callers import Caller
from serving.runs.schemas import RunInfo
from serving.security.client_tokens import ClientToken, spend_in
from serving.storage.database import Database

LINK = "Open this person in Upstream"


@dataclass(frozen=True)
class Draft:
    """A card before it is shown. ``about`` holds the codes of its subject."""

    summary: str
    indicator: Indicator
    source: str
    detail: str
    about: tuple[str, ...]


@dataclass(frozen=True)
class PersonOnList:
    """A person that the client may see, with their place on the published list."""

    patient_id: str
    team_id: str
    run: RunInfo
    place: int | None = None


@dataclass(frozen=True)
class Reached:
    """The address that links begin with, and whether people can start this service from their own system."""

    base_url: str
    smart: bool = False

    def link(self, person: PersonOnList) -> CardLink:
        """A link to the person's page. The rights of the person who opens it apply."""
        if self.smart:
            return CardLink(label=LINK, url=f"{self.base_url}/launch", type="smart")
        return CardLink(
            label=LINK, url=f"{self.base_url}/patients/{quote(person.patient_id, safe='')}", type="absolute"
        )


@dataclass(frozen=True)
class Answering:
    """One call of a service, bound to its caller. ``token`` is used up when the look is recorded; the sandbox has
    none."""

    database: Database
    caller: Caller
    audit: Audit
    reached: Reached
    service: str
    detail: dict[str, Any] = field(default_factory=dict)
    token: ClientToken | None = None

    def show(self, drafts: list[Draft], person: PersonOnList | None) -> HookCards:
        """Returns the cards once they are logged. ``person`` is None for a person on no list of this client: then the
        card is counted without the person.
        """
        made = [self._card(draft, person) for draft in drafts]
        now = dt.datetime.now(dt.UTC)
        rows = [
            {
                "card_id": str(card.uuid),
                "client": self.caller.token_id,
                "service": self.service,
                "about": list(draft.about),
                "patient_id": person.patient_id if person else None,
                "team_id": person.team_id if person else None,
                "run_id": person.run.run_id if person else None,
                "shown_at": now,
            }
            for card, draft in zip(made, drafts, strict=True)
        ]
        look = Look(
            "card.shown",
            patient_ids=(person.patient_id,) if person else (),
            team_id=person.team_id if person else None,
            run_id=person.run.run_id if person else None,
            bundle_id=person.run.bundle_id if person else None,
            detail={"service": self.service, "cards": len(made), **self.detail},
            shown=_exposure(self.service, person) if made and person else (),
        )
        self._record(look, rows)
        return HookCards(cards=made)

    def show_nothing(self, patient_id: str) -> HookCards:
        """Returns no cards for a person that the client may not see, once the request is logged."""
        self._record(Look("person.not_visible", patient_ids=(patient_id,)))
        return HookCards(cards=[])

    def _record(self, look: Look, rows: Sequence[dict[str, Any]] = ()) -> None:
        """Marks the token as used and writes the cards and the audit event in one transaction, shared with the calls
        that wait for the same disk.
        Raises ``UsedBefore`` where another call used the token up, and ``AuditUnavailable``."""
        spent = (self.token,) if self.token is not None else ()
        written = ((spend_in, spent), (repository.add_cards, tuple(rows)))
        self.audit.record(look, Along(self.caller, tuple((write, kept) for write, kept in written if kept)))

    def _card(self, draft: Draft, person: PersonOnList | None) -> HookCard:
        return HookCard(
            uuid=uuid.uuid4(),
            summary=short(draft.summary),
            detail=draft.detail,
            indicator=draft.indicator,
            source=CardSource(label=draft.source, url=f"{self.reached.base_url}/model" if person else None),
            overrideReasons=OVERRIDE_REASONS,
            links=[self.reached.link(person)] if person else None,
        )


def _exposure(service: str, person: PersonOnList) -> tuple[dict[str, Any], ...]:
    """Logs that a person was shown: later training must know who could have had a review."""
    chosen = listed_by(person.run)
    if chosen is None:
        return ()
    row = {"patient_id": person.patient_id, "outcome": chosen[0], "horizon_days": chosen[1], "ranking": service[:32]}
    return ({**row, "position": 1, "rank": person.place or 0},)


def listed_by(run: RunInfo) -> tuple[str, int] | None:
    """The outcome and horizon that the published lists are made by."""
    rules = run.list_rules or {}
    return run.chosen(rules.get("outcome"), rules.get("horizon_days"))


__all__ = ["Answering", "Draft", "PersonOnList", "Reached", "listed_by"]
