"""Care gaps about facts that a medicines plan needs: where a person lives, who helps, and the authority for
treatment.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, gap_of, iso
from features.gaps.person_view import PersonAsKnown

_DECIDED = (citations.clinical("1.1", "D"),)
UNSETTLED = frozenset(
    (
        "rough_sleeping",
        "rough sleeping",
        "homeless",
        "hostel",
        "temporary",
        "temporary accommodation",
        "sofa_surfing",
        "sofa surfing",
        "no_fixed_abode",
        "no fixed abode",
        "night_shelter",
        "squat",
    )
)
_NO_ROOF = frozenset(
    (
        "rough_sleeping",
        "rough sleeping",
        "homeless",
        "no_fixed_abode",
        "no fixed abode",
        "sofa_surfing",
        "sofa surfing",
        "night_shelter",
        "squat",
    )
)
_NO = frozenset(("no", "none", "n", "false", "0", "ended", "revoked", "discharged", "expired"))
CARER_CONTACT_DAYS = 365
CTO_FORM_DAYS = 28
_FORMS = ("cto_treatment_form", "cto11", "cto12", "treatment_form", "consent_to_treatment")


def living(person: PersonAsKnown) -> Iterator[Gap]:
    """LIVING_SITUATION, for people with a current psychotropic: there may be no safe place to keep medicines, or a
    carer is recorded and no contact with the carer in a year.

    [D]: medium where the record says there is no fixed place or the medicine is clozapine, lithium or valproate, else
    low; a carer without contact is low. The place is used by the rule and never named.
    """
    held = [c for c in person.current if c.medicine.is_psychotropic]
    if not held:
        return
    found = []
    row = person.circumstance("housing")
    if row and row.value in UNSETTLED:
        names = ", ".join(dict.fromkeys(c.medicine.name for c in held))
        said = f"safe storage of medicines may be lacking since {iso(row.day)}: {names}"
        risky = any(c.medicine.base in ("clozapine", "lithium", "valproate") for c in held)
        found.append(
            Finding(
                "medium" if row.value in _NO_ROOF or risky else "low",
                said,
                _DECIDED,
                (Evidence("circumstances", row.row, row.day, "where medicines are kept"),),
                action=(
                    "Ask where medicines are kept; short supplies from a pharmacy nearby or held by the service; offer "
                    "injections as outreach; agree how to reach the person."
                ),
                title="Storage of medicines to plan for",
            )
        )
    found.extend(_carer(person))
    yield from gap_of(CODES["LIVING_SITUATION"], found)


def is_carer(value: str) -> bool:
    """Whether the value of a circumstance ``carer`` says that there is one."""
    return bool(value) and value not in _NO


def _carer(person: PersonAsKnown) -> Iterator[Finding]:
    row = person.circumstance("carer")
    if row is None or not is_carer(row.value):
        return
    if person.as_of - row.day <= CARER_CONTACT_DAYS or person.shard.spoken_with_carer[person.who]:
        return
    yield Finding(
        "low",
        f"carer recorded on {iso(row.day)}; no contact with the carer recorded in the last year",
        _DECIDED,
        (Evidence("circumstances", row.row, row.day, "carer"),),
        action="With consent, ask the carer how medicines are going; offer information and a carer's assessment.",
        title="No contact with the carer in a year",
    )


def community_order(person: PersonAsKnown) -> Iterator[Gap]:
    """CTO_TREATMENT_FORM: a community treatment order is in force, a medicine for mental disorder is taken, and no form
    CTO11 or CTO12 is recorded since it began.

    [D]: the form is needed from one month after the order began. Medium: many extracts hold no forms, and a form that
    is not recorded may exist. A medicine started after the form is named: the form says what it covers. An order is
    recorded as a circumstance.
    """
    row = person.circumstance("community_treatment_order")
    held = [c for c in person.current if c.medicine.is_psychotropic]
    if row is None or row.value in _NO or not held or person.inpatient:
        return
    due = row.day + CTO_FORM_DAYS
    forms = [one for kind in _FORMS for one in person.circumstances(kind) if one.value not in _NO]
    forms = [one for one in forms if one.day >= row.day]
    names = ", ".join(dict.fromkeys(c.medicine.name for c in held))
    order = Evidence("circumstances", row.row, row.day, "community treatment order")
    if not forms:
        said = f"community treatment order from {iso(row.day)}; no form CTO11 or CTO12 recorded; taking {names}"
        finding = Finding("medium", said, _DECIDED, (order,), due, max(0, person.as_of - due))
        yield from gap_of(CODES["CTO_TREATMENT_FORM"], [finding])
        return
    form = max(forms, key=lambda one: one.day)
    newer = [c for c in held if c.start > form.day]
    if newer:
        said = f"form recorded on {iso(form.day)}; started since: {', '.join(c.medicine.name for c in newer)}"
        rows = (order, Evidence("circumstances", form.row, form.day, "form"))
        yield from gap_of(CODES["CTO_TREATMENT_FORM"], [Finding("medium", said, _DECIDED, rows)])


RULES = (living, community_order)
