"""Care gaps to settle at a review: the review itself, and allergy status."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown
from features.gaps.rules.engagement.changes import RECENT_DAYS
from features.gaps.rules.supply.oral import class_of
from features.records.days import NO_DAY

COMPLEX_ITEMS = 5
_DECIDED = (citations.clinical("1.1", "D"),)


def medicines_review(person: PersonAsKnown) -> Iterator[Gap]:
    """MEDICINES_REVIEW_OVERDUE: with a current psychotropic, no medicines review for more than 365 days, or none since
    a discharge. With none now: a mood stabiliser ended more than 365 days ago and no review since.

    [D]: an attended medicines review or a recorded structured review counts. Never reviewed is due 365 days after the
    first psychotropic. After a discharge in the last year it is due at 28 days, where POST_DISCHARGE_RECONCILE ends.
    Medium with five or more regular medicines or a start or stop since the last review, else low.
    """
    t = person.as_of
    held = [c for c in person.current if c.medicine.is_psychotropic]
    if not held:
        yield from _ended_without_review(person)
        return
    contact = next((c for c in reversed(person.reviews) if c.kind == "medicines_review"), None)
    result = person.last_met("structured_medication_review")
    last = NO_DAY
    evidence: tuple[Evidence, ...] = ()
    if contact and (result is None or contact.day >= result.day):
        last, evidence = contact.day, (Evidence("contacts", contact.row, contact.day, "last medicines review"),)
    elif result:
        last, evidence = result.day, (Evidence("results", result.row, result.day, "last medicines review"),)
    first = min(c.first_start for c in person.courses if c.medicine.is_psychotropic)
    due = (first if last == NO_DAY else last) + YEAR
    said = f"last medicines review on {iso(last)}" if evidence else "no medicines review recorded"
    stay = max((s for s in person.stays if s.discharged != NO_DAY), key=lambda s: s.discharged, default=None)
    left = stay.discharged if stay else NO_DAY
    lately = left != NO_DAY and t - left <= YEAR and not person.inpatient
    if lately and (last == NO_DAY or last < left) and left + RECENT_DAYS < due:
        due = left + RECENT_DAYS
        if stay:  # a review recorded before the discharge does not settle it
            evidence = (*evidence, Evidence("stays", stay.row, left, "discharge"))
        said += f"; none since the discharge of {iso(left)}"
    if t <= due:
        return
    since = person.regimen("days_since_change")
    changed = last != NO_DAY and since == since and t - since >= last
    several = person.regimen("regular_items") >= COMPLEX_ITEMS
    severity: Severity = "medium" if changed or several else "low"
    said += "; changes of medicine since" if changed else ""
    yield from gap_of(CODES["MEDICINES_REVIEW_OVERDUE"], [Finding(severity, said, _DECIDED, evidence, due, t - due)])


def _ended_without_review(person: PersonAsKnown) -> Iterator[Gap]:
    """A mood stabiliser whose supply gap ended after a year, without a review since it ran out."""
    ended = [c for c in person.courses if class_of(c.medicine) in ("lithium", "mood stabiliser") and not c.required]
    if not ended:
        return
    last = max(ended, key=lambda course: course.end)
    review, due = person.last_met("structured_medication_review"), last.end + YEAR
    if person.as_of <= due or person.reviewed_since(last.end) or (review and review.day >= last.end):
        return
    said = f"{last.medicine.name} supply ran out on {iso(last.end)}; no medicines review recorded since"
    evidence = (person.supplied(last, f"last supply of {last.medicine.name}"),)
    finding = Finding("low", said, _DECIDED, evidence, due, person.as_of - due)
    yield from gap_of(CODES["MEDICINES_REVIEW_OVERDUE"], [finding])


def allergy(person: PersonAsKnown) -> Iterator[Gap]:
    """ALLERGY_NOT_RECORDED: allergy status absent, or last recorded more than 365 days ago; "none known" counts as
    recorded [D]. An allergy row that was set aside is named as recorded but not understood."""
    rows = person.conditions["allergy"]
    if not rows:
        # a condition whose category could not be read may be one
        said = f"allergy status {person.absent('allergy', 'conditions.category')}"
        yield from gap_of(CODES["ALLERGY_NOT_RECORDED"], [Finding("low", said, _DECIDED)])
        return
    row, day, _ = rows[-1]
    due = day + YEAR
    if person.as_of > due:
        said = f"allergy status last confirmed on {iso(day)}"
        evidence = (Evidence("conditions", row, day, "allergy status"),)
        yield from gap_of(
            CODES["ALLERGY_NOT_RECORDED"],
            [Finding("low", said, _DECIDED, evidence, due, person.as_of - due, stale=True)],
        )


RULES = (medicines_review, allergy)
