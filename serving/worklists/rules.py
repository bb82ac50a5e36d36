"""Who has a slot on a team's list, who waits, and why somebody left it: rules over plain values, without a database or
a clock.

1. **Slots** are the reviews the team can do in a week. The list is the next week's work: a review done frees its slot
   for the next person.
2. **Order** is by risk, by safety gaps, or blended (both in turn). Equal people stand in the order of their
   ids, on every machine.
3. **Set aside for now**: after a review a person takes no slot until the day the reviewer chose (a snooze), or for
   ``rest_days``. With a critical safety gap that is a week at most and never a snooze (docs/architecture.md rule 5),
   and a critical gap that was not there at the review ends it.
4. **Steady**: a person who holds a place keeps it unless a challenger's risk is more than ``stay`` higher. So the
risk at the slots is at least the largest possible divided by ``1 + stay``; what was given up is counted and
reported.
5. **Everybody is seen eventually**: one slot in a week, two from ten slots on, go to those whom nobody saw, reviewed
   or listed for longest. Each lasts a week. A team with one slot gives it so in one week of four.
6. **The lottery band** (off by default): among newcomers near the line, once a week, the last places are drawn from a
   seed. Nobody with a critical or high safety gap and nobody who holds a place takes part. The result stands for a
   week, unless a critical or high gap or a clearly higher risk comes up.
7. **Nobody disappears silently**: everybody who leaves the list has one reason.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from models.lottery_band import BandRules, InLine, Ticket, draw_band
from serving.worklists.ranking import Ranking

NO_SAFETY_GAP = 9
CRITICAL = 0
PRESSING = ("critical", "high")
"""Severities of a safety gap that calls for attention past the capacity line."""
WEEK = 7


class Standing(StrEnum):
    """A person's position: in a place, next in line, reviewed recently, or snoozed."""

    LISTED = "listed"
    WAITING = "waiting"
    REVIEWED = "reviewed"
    SNOOZED = "snoozed"


class Slot(StrEnum):
    """Why a person has a place: by the order, kept from the list before, unseen for longest, because the team
    stated no capacity, or drawn among people near the line.
    """

    ORDER = "order"
    KEPT = "kept"
    LONGEST_UNSEEN = "longest_unseen"
    NO_LIMIT = "no_limit"
    LOTTERY = "lottery"


class LeftReason(StrEnum):
    """Why a person who was listed no longer is."""

    LEFT_CASELOAD = "left_caseload"
    REVIEWED = "reviewed"
    SNOOZED = "snoozed"
    TURN_OVER = "turn_over"
    RULES_CHANGED = "rules_changed"
    GAP_CLOSED = "gap_closed"
    RISK_FELL = "risk_fell"
    DISPLACED = "displaced"
    FEWER_SLOTS = "fewer_slots"


@dataclass(frozen=True)
class ListRules:
    """How lists are made. ``stay`` is a share of the risk: 0.1 lets a holder of a slot be passed only by a risk more
    than a tenth higher.

    Ten per cent and four weeks are our own choice, not from a guideline.
    """

    outcome: str
    horizon_days: int
    ranking: Ranking = Ranking.RISK
    stay: float = 0.1
    rest_days: int = 28
    band: BandRules | None = None


@dataclass(frozen=True)
class Drawn:
    """The result of a draw that still stands: ``won`` a place or not, and the risk of the line then."""

    won: bool
    line_risk: float


@dataclass(frozen=True)
class Candidate:
    """A person on a team's caseload. ``worst`` is the severity of the worst pressing safety gap (0 is critical),
    ``gaps`` how many there are."""

    patient_id: str
    risk: float
    worst: int = NO_SAFETY_GAP
    gaps: int = 0
    last_seen_on: dt.date | None = None
    reviewed_on: dt.date | None = None
    snoozed_until: dt.date | None = None
    new_critical: bool = False
    """A critical safety gap exists that did not at the last review."""
    draw: Drawn | None = None
    """The person's part in a draw of the last week."""


@dataclass(frozen=True)
class Before:
    """A person's line on the list before."""

    risk: float
    worst: int = NO_SAFETY_GAP
    slot: Slot | None = None
    listed_since: dt.date | None = None
    last_listed_on: dt.date | None = None


@dataclass(frozen=True)
class ListLine:
    """A person's place on the list, from 1. ``joined``: has a slot now and had none on the list before; on a team's
    first list everybody would be new, so nobody is."""

    patient_id: str
    place: int
    standing: Standing
    slot: Slot | None = None
    joined: bool = False
    listed_since: dt.date | None = None
    last_listed_on: dt.date | None = None
    snoozed_until: dt.date | None = None


@dataclass(frozen=True)
class Exit:
    """Somebody who lost a slot. ``rank`` is the place in the order now; ``on`` the day of the review or the end of the
    snooze."""

    patient_id: str
    reason: LeftReason
    listed_since: dt.date | None = None
    rank: int | None = None
    displaced_by: str | None = None
    on: dt.date | None = None
    note: str = ""


@dataclass(frozen=True)
class TeamList:
    """A team's list. ``risk_listed`` is the sum of the risks at the slots, ``risk_best`` the most that the order alone
    would have put there; of the difference, ``given_up_to_stay`` went to keeping the list steady and the rest to the
    longest unseen or, with a lottery band, to the draw (``given_up_to_draw``)."""

    lines: tuple[ListLine, ...]
    exits: tuple[Exit, ...]
    risk_listed: float
    risk_best: float
    given_up_to_stay: float
    tickets: tuple[Ticket, ...] = ()
    given_up_to_draw: float = 0.0


def in_order(people: Iterable[Candidate], ranking: Ranking) -> list[Candidate]:
    """``people`` in the order of ``ranking``; ties by id."""
    by_risk = sorted(people, key=lambda c: (-c.risk, c.patient_id))
    if ranking is Ranking.RISK:
        return by_risk
    by_gaps = sorted(by_risk, key=lambda c: (c.worst, -c.gaps))
    if ranking is Ranking.GAPS:
        return by_gaps
    # Each list has every other turn. A person stands at the earlier of their two turns, so no two share one.
    turn = {c.patient_id: 2 * place - 1 for place, c in enumerate(by_risk, 1)}
    for place, c in enumerate(by_gaps, 1):
        if c.worst < NO_SAFETY_GAP:
            turn[c.patient_id] = min(turn[c.patient_id], 2 * place)
    return sorted(by_risk, key=lambda c: turn[c.patient_id])


def is_snoozed(snoozed_until: dt.date | None, worst: int, as_of: dt.date) -> bool:
    """A snooze holds until its day, and never over a critical safety gap."""
    return snoozed_until is not None and as_of < snoozed_until and worst != CRITICAL


def set_aside(c: Candidate, as_of: dt.date, rules: ListRules) -> Standing | None:
    """``SNOOZED`` or ``REVIEWED`` for somebody who takes no place for now; None for everybody else."""
    if c.reviewed_on is None or c.new_critical:
        return None
    until = c.snoozed_until or c.reviewed_on + dt.timedelta(days=rules.rest_days)
    if c.worst == CRITICAL:
        until = min(until, c.reviewed_on + dt.timedelta(days=WEEK))
    if as_of >= until:
        return None
    return Standing.SNOOZED if is_snoozed(c.snoozed_until, c.worst, as_of) else Standing.REVIEWED


def unseen_slots(slots: int, as_of: dt.date) -> int:
    """How many of a week's places go to the longest unseen."""
    if slots >= 10:
        return 2
    if slots >= 2:
        return 1
    return int(slots == 1 and as_of.toordinal() // WEEK % 4 == 0)


def make_list(
    people: Sequence[Candidate],
    before: Mapping[str, Before],
    slots: int | None,
    as_of: dt.date,
    rules: ListRules,
    *,
    same_rules: bool = True,
    gone: Mapping[str, str] | None = None,
) -> TeamList:
    """The list of one team for ``as_of``.

    ``before`` holds the lines of the list before by person, ``slots`` the team's capacity (None: not stated, so
    everybody is listed), ``gone`` says why somebody is not on the caseload any more. ``same_rules`` is False where the
    list before was made by others.
    """
    tickets: tuple[Ticket, ...] = ()
    to_draw = 0.0
    aside = {c.patient_id: why for c in people if (why := set_aside(c, as_of, rules)) is not None}
    free = [c for c in people if c.patient_id not in aside]
    plain = in_order(people, rules.ranking)
    if slots is None:
        chosen = dict.fromkeys([c.patient_id for c in plain if c.patient_id not in aside], Slot.NO_LIMIT)
        best, given_up = _risk(free), 0.0
    else:
        unseen = unseen_slots(slots, as_of)
        ordered = in_order(free, rules.ranking)
        first = ordered[: slots - unseen]
        steady, tickets = _with_draw(free, before, slots - unseen, as_of, rules)
        kept = steady[: slots - unseen]
        by_order, kept_ids = {c.patient_id for c in first}, {c.patient_id for c in kept}
        best = _risk(ordered[:slots])
        without_draw = {c.patient_id for c in _steady(free, before, rules)[: slots - unseen]}
        given_up = _risk(first) - _risk(c for c in free if c.patient_id in without_draw)
        to_draw = _risk(first) - given_up - _risk(c for c in free if c.patient_id in kept_ids)
        chosen = {c.patient_id: Slot.ORDER if c.patient_id in by_order else Slot.KEPT for c in kept}
        winners = {t.person for t in tickets if t.drawn} | {c.patient_id for c in kept if c.draw and c.draw.won}
        chosen |= dict.fromkeys((person for person in chosen if person in winners), Slot.LOTTERY)
        chosen |= dict.fromkeys(_longest_unseen(free, before, chosen, unseen, as_of), Slot.LONGEST_UNSEEN)
    lines = _lines(plain, chosen, aside, before, as_of)
    return TeamList(
        lines=lines,
        exits=_exits(people, before, chosen, aside, slots, as_of, rules, same_rules, gone or {}),
        risk_listed=_risk(c for c in people if c.patient_id in chosen),
        risk_best=best,
        given_up_to_stay=given_up,
        tickets=tickets,
        given_up_to_draw=to_draw,
    )


def _risk(people: Iterable[Candidate]) -> float:
    """Exactly rounded, so that the order of people makes no difference."""
    return math.fsum(c.risk for c in people)


def _held(line: Before | None) -> bool:
    """The person had a place that may be kept; the turn of the longest unseen ends by itself."""
    return line is not None and line.slot is not None and line.slot is not Slot.LONGEST_UNSEEN


def _steady(people: Iterable[Candidate], before: Mapping[str, Before], rules: ListRules) -> list[Candidate]:
    """The order in which the risk of holders of a slot counts for ``stay`` more."""
    return in_order(
        (replace(c, risk=c.risk * (1 + rules.stay)) if _held(before.get(c.patient_id)) else c for c in people),
        rules.ranking,
    )


def _with_draw(
    free: Sequence[Candidate], before: Mapping[str, Before], places: int, as_of: dt.date, rules: ListRules
) -> tuple[list[Candidate], tuple[Ticket, ...]]:
    """The steady order with the draw of this week in it, and the tickets if it was drawn now.

    A draw that stands puts its winners first and lets those who did not win wait. There is no second draw in that
    time: it would move the line further from the people it is about.
    """
    steady = _steady(free, before, rules)
    if rules.band is None:
        return steady, ()
    if any(c.draw is not None for c in free):
        return sorted(steady, key=lambda c: _turn_by_draw(c, rules.band)), ()
    risk = {c.patient_id: c.risk for c in free}
    line = [
        InLine(
            c.patient_id,
            risk[c.patient_id],
            c.worst == NO_SAFETY_GAP and not _held(before.get(c.patient_id)),
        )
        for c in steady
    ]
    tickets = draw_band(line, places, rules.band, as_of.isoformat())
    result = {t.person: 0 if t.drawn else 2 for t in tickets}
    # Winners stand first so that the others of the band cannot; everybody else keeps their order.
    return sorted(steady, key=lambda c: result.get(c.patient_id, 1)), tickets


def _turn_by_draw(c: Candidate, band: BandRules | None) -> int:
    """0 for a winner, 2 for somebody who waits for the next draw, 1 for everybody else.

    A critical or high safety gap, or a risk clearly above the line of the draw, ends the wait.
    """
    if c.draw is None or band is None:
        return 1
    if c.draw.won:
        return 0
    return 1 if c.worst < NO_SAFETY_GAP or c.risk > c.draw.line_risk * (1 + band.margin) else 2


def _in_turn(line: Before | None, as_of: dt.date) -> bool:
    """The person's week as one of the longest unseen is not over."""
    if line is None or line.slot is not Slot.LONGEST_UNSEEN or line.listed_since is None:
        return False
    return (as_of - line.listed_since).days < WEEK


def _longest_unseen(
    free: Sequence[Candidate], before: Mapping[str, Before], chosen: Mapping[str, Slot], slots: int, as_of: dt.date
) -> list[str]:
    """Whose turn it is: those within their week, then those without attention for longest; who was never seen comes
    first."""

    def turn(c: Candidate) -> tuple[bool, dt.date, float, str]:
        line = before.get(c.patient_id)
        days = (c.last_seen_on, c.reviewed_on, line.last_listed_on if line is not None else None)
        attention = max((day for day in days if day is not None), default=dt.date.min)
        return not _in_turn(line, as_of), attention, -c.risk, c.patient_id

    return [c.patient_id for c in sorted((c for c in free if c.patient_id not in chosen), key=turn)[:slots]]


def _lines(
    plain: Sequence[Candidate],
    chosen: Mapping[str, Slot],
    aside: Mapping[str, Standing],
    before: Mapping[str, Before],
    as_of: dt.date,
) -> tuple[ListLine, ...]:
    """Slots first (those by turn after those by order), then everybody else in order, the snoozed last."""

    def part(c: Candidate) -> int:
        slot = chosen.get(c.patient_id)
        if slot is not None:
            return int(slot is Slot.LONGEST_UNSEEN)
        return 3 if aside.get(c.patient_id) is Standing.SNOOZED else 2

    lines = []
    for place, c in enumerate(sorted(plain, key=part), 1):
        line, slot, why = before.get(c.patient_id), chosen.get(c.patient_id), aside.get(c.patient_id)
        lines.append(
            ListLine(
                patient_id=c.patient_id,
                place=place,
                standing=Standing.LISTED if slot else why or Standing.WAITING,
                slot=slot,
                joined=bool(before) and slot is not None and (line is None or line.slot is None),
                listed_since=_since(line, slot, as_of),
                last_listed_on=as_of if slot else line.last_listed_on if line else None,
                snoozed_until=c.snoozed_until if why is Standing.SNOOZED else None,
            )
        )
    return tuple(lines)


def _since(line: Before | None, slot: Slot | None, as_of: dt.date) -> dt.date | None:
    """Since when the person has had a slot without a break; a second turn of the longest unseen begins anew."""
    if slot is None:
        return None
    again = slot is Slot.LONGEST_UNSEEN and not _in_turn(line, as_of)
    return as_of if line is None or line.slot is None or again else line.listed_since or as_of


def _exits(
    people: Sequence[Candidate],
    before: Mapping[str, Before],
    chosen: Mapping[str, Slot],
    aside: Mapping[str, Standing],
    slots: int | None,
    as_of: dt.date,
    rules: ListRules,
    same_rules: bool,
    gone: Mapping[str, str],
) -> tuple[Exit, ...]:
    """One for everybody who had a slot and has none."""
    now = {c.patient_id: c for c in people}
    rank = {c.patient_id: place for place, c in enumerate(in_order(people, rules.ranking), 1)}
    free = [c for c in people if c.patient_id not in aside]
    by_order = 0 if slots is None else slots - unseen_slots(slots, as_of)
    newcomers = [
        person for person, slot in chosen.items() if slot is not Slot.LONGEST_UNSEEN and not _held(before.get(person))
    ]
    exits = []
    left = [person for person, line in before.items() if line.slot is not None and person not in chosen]
    for person in sorted(left, key=lambda p: (rank.get(p, 0), p)):
        line, c = before[person], now.get(person)
        found = Exit(person, LeftReason.LEFT_CASELOAD, line.listed_since, rank.get(person))
        if c is None:
            exits.append(replace(found, note=gone.get(person, "")))
        elif (why := aside.get(person)) is not None:
            snoozed = why is Standing.SNOOZED
            on = c.snoozed_until if snoozed else c.reviewed_on
            exits.append(replace(found, reason=LeftReason.SNOOZED if snoozed else LeftReason.REVIEWED, on=on))
        elif line.slot is Slot.LONGEST_UNSEEN:
            exits.append(replace(found, reason=LeftReason.TURN_OVER))
        elif not same_rules:
            exits.append(replace(found, reason=LeftReason.RULES_CHANGED))
        elif c.worst > line.worst and _would_stay(
            replace(c, worst=line.worst, gaps=max(1, c.gaps)), free, before, by_order, rules
        ):
            exits.append(replace(found, reason=LeftReason.GAP_CLOSED))
        elif c.risk < line.risk and _would_stay(replace(c, risk=line.risk), free, before, by_order, rules):
            exits.append(replace(found, reason=LeftReason.RISK_FELL))
        elif newcomers:
            exits.append(replace(found, reason=LeftReason.DISPLACED, displaced_by=newcomers.pop()))
        else:
            exits.append(replace(found, reason=LeftReason.FEWER_SLOTS))
    return tuple(exits)


def _would_stay(
    instead: Candidate, free: Sequence[Candidate], before: Mapping[str, Before], by_order: int, rules: ListRules
) -> bool:
    """Whether the person would have kept the slot as ``instead``."""
    others = [c for c in free if c.patient_id != instead.patient_id]
    return instead.patient_id in {c.patient_id for c in _steady([*others, instead], before, rules)[:by_order]}
