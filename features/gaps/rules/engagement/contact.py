"""Gaps in contact. Not attending is a reason to reach out, never a reason to discharge."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import pairwise

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown
from features.gaps.rules.engagement.changes import starts
from features.kernels.window_ops import MIN_GAPS
from features.kernels.window_totals import KEPT_AGES
from features.records.tables import THREE_WAY

SILENT_DAYS = 90
NEW_REFERRAL_DAYS = 28
MISSED_WINDOW = 180
MISSED_SHARE, MISSED_OFFERED = 0.5, 4
CRISIS_DAYS = 30
CRISIS_KINDS = ("crisis", "liaison", "place_of_safety")
_DECIDED = (citations.clinical("1.1", "D"),)
_NEEDED = ("required", "needed", "yes")
_MET = ("present", "provided", "in_place", "in place", "not_required", "not required", "no", "none", "met")


def missed_pattern(person: PersonAsKnown) -> Iterator[Gap]:
    """DNA_PATTERN: both of the last two offered contacts missed, or half or more of at least four, in the last 180
    days.

    Offered is attended or missed, with the person, not by text or email; cancellations do not count (section 2.1).
    [D]: high from a run of three.
    """
    t = person.as_of
    offered = [c for c in person.contacts if (c.attended or c.missed) and t - c.day <= MISSED_WINDOW]
    missed = [c for c in offered if c.missed]
    if len(offered) < 2 or not missed:
        return
    run = 0
    for contact in reversed(offered):
        if not contact.missed:
            break
        run += 1
    often = len(offered) >= MISSED_OFFERED and len(missed) >= MISSED_SHARE * len(offered)
    if run < 2 and not often:
        return
    seen = person.last_seen
    said = [f"the last {run} offered contacts were missed"] if run >= 2 else []
    if often:
        said.append(f"{len(missed)} of {len(offered)} offered contacts missed in 180 days")
    said.append(f"last attended on {iso(seen.day)}" if seen else "no attended contact recorded")
    rows = tuple(Evidence("contacts", c.row, c.day, "missed contact") for c in missed[-3:])
    yield from gap_of(
        CODES["DNA_PATTERN"], [Finding("high" if run >= 3 else "medium", "; ".join(said), _DECIDED, rows)]
    )


def no_contact(person: PersonAsKnown) -> Iterator[Gap]:
    """NO_CONTACT: nobody has seen the person for 90 days, or for twice their own usual gap if that is longer.

    [D]: the usual gap is the median of the last 63, and needs two. A person never seen counts once a referral has
    been open for 28 days, or if no referral is recorded. So does a person not seen since any open referral was made.
    The rule does not fire in hospital, or if every recorded referral is closed.
    """
    t = person.as_of
    if person.inpatient:
        return
    seen = person.seen
    if seen and t - seen[-1] < SILENT_DAYS:
        return
    open_now = [(row, day) for row, day, still in person.referrals if still]
    if person.referrals and not open_now:
        return
    last = person.last_seen
    if last is None:
        if not open_now:
            yield from gap_of(CODES["NO_CONTACT"], [Finding("high", "no attended contact recorded", _DECIDED)])
            return
        row, opened = open_now[0]
        due = opened + NEW_REFERRAL_DAYS
        if t >= due:
            said = f"no attended contact recorded since the referral of {iso(opened)}"
            evidence = (Evidence("referrals", row, opened, "open referral"),)
            yield from gap_of(CODES["NO_CONTACT"], [Finding("high", said, _DECIDED, evidence, due, t - due)])
        return
    if open_now and min(day for _, day in open_now) > last.day:
        yield from _new_referral(*min(open_now, key=lambda one: one[1]), last.day, t)
        return
    gaps = [later - earlier for earlier, later in pairwise(seen[-KEPT_AGES:])]
    usual = statistics.median(gaps) if len(gaps) >= MIN_GAPS else 0
    limit = max(SILENT_DAYS, int(2 * usual))
    silent = t - seen[-1]
    if silent < limit:
        return
    said = f"last seen on {iso(last.day)}, {silent} days ago"
    if usual:
        said += f"; own usual gap {usual:g} days"
    evidence = (Evidence("contacts", last.row, last.day, "last attended contact"),)
    due = last.day + limit
    yield from gap_of(CODES["NO_CONTACT"], [Finding("high", said, _DECIDED, evidence, due, t - due)])


def _new_referral(row: int, opened: int, last: int, t: int) -> Iterator[Gap]:
    """Referred again since the last contact and not seen: days count from this referral, not from the earlier care."""
    due = opened + NEW_REFERRAL_DAYS
    if t < due:
        return
    said = f"no attended contact recorded since the referral of {iso(opened)}; before it, last seen on {iso(last)}"
    evidence = (Evidence("referrals", row, opened, "open referral"),)
    yield from gap_of(CODES["NO_CONTACT"], [Finding("high", said, _DECIDED, evidence, due, t - due)])


def crisis(person: PersonAsKnown) -> Iterator[Gap]:
    """CRISIS_SIGNAL: an attended crisis, liaison or place-of-safety contact, or a stay in a place of safety, in the
    last 30 days.

    [D]: high from two, else medium. A psychotropic started since then is named.
    """
    since = person.as_of - CRISIS_DAYS
    recent = [c for c in person.contacts if c.day >= since and c.kind in CRISIS_KINDS and c.outcome == "attended"]
    safety = [stay for stay in person.stays if stay.ward == "place_of_safety" and stay.admitted >= since]
    count = len(recent) + len(safety)
    if not count:
        return
    days = sorted([*(c.day for c in recent), *(stay.admitted for stay in safety)])
    said = [f"{count} in the last 30 days, the latest on {iso(days[-1])}"]
    said += [f"{c.medicine.name} started on {iso(c.start)}" for c in starts(person) if c.start >= days[0]]
    rows = (
        *(Evidence("contacts", c.row, c.day, f"{c.kind.replace('_', ' ')} contact") for c in recent),
        *(Evidence("stays", stay.row, stay.admitted, "place of safety") for stay in safety),
    )
    severity: Severity = "high" if count >= 2 else "medium"
    yield from gap_of(CODES["CRISIS_SIGNAL"], [Finding(severity, "; ".join(said), _DECIDED, rows)])


def states_need(kind: str, value: str) -> bool:
    """Whether a circumstance states a need: for a format, any value that does not say it is met."""
    if kind == "accessible_format":
        return value not in _MET
    return kind in ("interpreter", "reasonable_adjustment") and value in _NEEDED


def unmet_need(person: PersonAsKnown) -> Iterator[Gap]:
    """EQUALITY_NEED_UNMET: a need is recorded, and nothing recorded meets it.

    [D]: the latest interpreter, accessible_format or reasonable_adjustment row states a need (for a format, any value
    that does not say it is met); met is a later row that says so, or an interpreter_present row of the last 365 days
    and since the need was first recorded.
    A confirmed or suspected flag in the patients table counts as a possible need for adjustments while none is
    recorded; the flag is never named. Medium for a stated need, low for a possible one.
    """
    found = []
    row = person.circumstance("interpreter")
    if row and states_need("interpreter", row.value):
        present = person.circumstance("interpreter_present")
        stated = [one.day for one in person.circumstances("interpreter") if one.value in _NEEDED]
        met = present and present.value not in ("no", "none") and person.as_of - present.day <= YEAR
        if not (met and present and present.day >= stated[0]):
            evidence = (Evidence("circumstances", row.row, row.day, "interpreter need"),)
            said = "interpreter need recorded; no contact with an interpreter recorded"
            found.append(Finding("medium", said, _DECIDED, evidence))
    row = person.circumstance("accessible_format")
    if row and states_need("accessible_format", row.value):
        evidence = (Evidence("circumstances", row.row, row.day, "accessible format need"),)
        said = "accessible format need recorded; none recorded as provided"
        found.append(Finding("medium", said, _DECIDED, evidence))
    row = person.circumstance("reasonable_adjustment")
    if row and states_need("reasonable_adjustment", row.value):
        evidence = (Evidence("circumstances", row.row, row.day, "adjustment need"),)
        said = "adjustment need recorded; no adjustment recorded as in place"
        found.append(Finding("medium", said, _DECIDED, evidence))
    elif row is None and any(
        code is not None and THREE_WAY[code] in ("confirmed", "suspected")
        for code in (person.patient("learning_disability"), person.patient("autism"))
    ):
        found.append(Finding("low", "adjustments may be needed; none recorded", _DECIDED))
    if found:
        yield from gap_of(CODES["EQUALITY_NEED_UNMET"], found)


RULES = (missed_pattern, no_contact, crisis, unmet_need)
