"""Care gaps of no antipsychotic in a person who may need one, and of an antipsychotic in a person who may not."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown
from features.kernels.coverage import COURSE_GAP_DAYS
from features.medicines.courses import Course
from features.records.days import NO_DAY
from features.records.tables import THREE_WAY

SHORT_DAYS = 14
"""Days outside hospital without supply after which the gap fires: a ward's supply is not in the records [D]."""
SETTLED_DAYS = 365
OTHER_DIAGNOSIS_DAYS = 365
"""No gap is shown if treatment stopped more than a year ago and no recorded diagnosis needs an antipsychotic [D]."""
DEMENTIA_REVIEW_DAYS, NEED_REVIEW_DAYS = 42, 180
_DECIDED = citations.clinical("2.4", "D")
_ASK = "Ask what is taken and wanted, and what was decided; look for early signs of relapse; agree and record a plan."
_AFTER_CLOZAPINE = (
    "Ask when clozapine was last taken, and why it stopped; not to be restarted at the old dose. Look for early signs"
    " of relapse; discuss starting again or another treatment with the consultant, and record the decision."
)
_NEVER = "Check which medicines others supply; ask what was offered and wanted; record the decision."


def ends(person: PersonAsKnown) -> list[tuple[int, Course]]:
    """(day that cover ended, course) of every regular antipsychotic. An injection covers from the day on which it is
    recorded as given, or else from the day of supply.
    """
    given: dict[str, int] = {}
    for row in person.injections:
        if row.given:
            due = row.day + row.length
            given[row.medicine.name] = max(given.get(row.medicine.name, due), due)
    return [
        (given.get(c.medicine.name, c.end), c) for c in person.courses if c.medicine.is_antipsychotic and not c.required
    ]


def no_antipsychotic(person: PersonAsKnown) -> Iterator[Gap]:
    """NO_ANTIPSYCHOTIC: cover of every regular antipsychotic ended more than 90 days ago, in somebody with psychosis or
    bipolar disorder recorded, whose last one was clozapine or an injection, or of whom no diagnosis is recorded; or
    psychosis was recorded more than 90 days ago and no antipsychotic ever.

    [D]: critical after clozapine or an injection for a year, and then until a medicines or care review was attended
    since, else high (not milder than the break or the late injection that it follows);
    medium where a mood stabiliser is current in bipolar disorder and a review was attended, where the diagnoses
    recorded are others (for a year, until a review), and where none was ever recorded. In hospital low and no alarm:
    the ward supplies what no row shows.
    """
    held = ends(person)
    if person.inpatient:
        found = _in_hospital(person, held) if held else None
        yield from gap_of(CODES["NO_ANTIPSYCHOTIC"], [found] if found else [])
        return
    found = _stopped(person, held) if held else _never(person)
    if found:
        yield from gap_of(CODES["NO_ANTIPSYCHOTIC"], [found])


def _stopped(person: PersonAsKnown, held: list[tuple[int, Course]]) -> Finding | None:
    end, last = max(held, key=lambda one: (one[0], one[1].last_row))
    since = person.as_of - end
    if since <= COURSE_GAP_DAYS or person.uncovered(end) < SHORT_DAYS:
        return None
    psychosis, bipolar = person.diagnosed("psychosis"), person.diagnosed("bipolar")
    reviewed = person.reviewed_since(end)
    clozapine, injection = last.medicine.base == "clozapine", last.medicine.is_long_acting_injection
    severity: Severity = "high"
    said = [f"{last.medicine.name} {'cover ended' if injection else 'supply ran out'} on {iso(end)}, {since} days ago"]
    unchecked: tuple[str, ...] = ()
    if clozapine or injection:
        severity = "high" if reviewed and since > SETTLED_DAYS else "critical"
    elif not (psychosis or bipolar):
        if person.conditions["diagnosis"]:
            if reviewed or since > OTHER_DIAGNOSIS_DAYS:
                return None
            severity = "medium"
        else:
            unchecked = ("diagnosis not recorded: whether an antipsychotic is needed",)
            said.append("diagnosis not recorded")
    stabilisers = [c for c in person.current if c.medicine.medicine_class == "mood_stabiliser"]
    if bipolar and not psychosis and stabilisers:
        said.append(f"{', '.join(c.medicine.name for c in stabilisers)} supplied")
        severity = "medium" if reviewed and severity == "high" else severity
    said.insert(1, "no regular antipsychotic supplied since")
    supplied = [row for row in person.injections if not row.given and row.day >= end]
    if supplied:
        said[1] = f"{supplied[-1].medicine.name} supplied on {iso(supplied[-1].day)}, not recorded as given"
    if reviewed:
        said.append("reviewed since")
    elif person.last_seen:
        said.append(f"last seen on {iso(person.last_seen.day)}, no review recorded since it ended")
    return Finding(
        severity,
        "; ".join(said),
        (citations.clinical("4.12", "R") if clozapine else _DECIDED,),
        (person.supplied(last, f"last supply of {last.medicine.name}"), *psychosis, *bipolar),
        end,
        since,
        action=_AFTER_CLOZAPINE if clozapine else _ASK,
        title="Clozapine ended and no antipsychotic since" if clozapine else "",
        unchecked=unchecked,
    )


def _in_hospital(person: PersonAsKnown, held: list[tuple[int, Course]]) -> Finding | None:
    end, last = max(held, key=lambda one: (one[0], one[1].last_row))
    coded = (*person.diagnosed("psychosis"), *person.diagnosed("bipolar"))
    if not coded or person.as_of - end <= COURSE_GAP_DAYS:
        return None
    stay = max((s for s in person.stays if s.discharged == NO_DAY), key=lambda s: s.admitted)
    said = f"in hospital since {iso(stay.admitted)}; supply of {last.medicine.name} recorded ended on {iso(end)}"
    return Finding(
        "low",
        f"{said}; what the ward gives is not recorded",
        (_DECIDED,),
        (Evidence("stays", stay.row, stay.admitted, "admission"), *coded),
        end,
        person.as_of - end,
        action="Ask the ward what is given, so that it is supplied from the day of discharge.",
        title="Antipsychotic in hospital not recorded",
        alarm=False,
    )


def _never(person: PersonAsKnown) -> Finding | None:
    psychosis = person.diagnosed("psychosis")
    if not psychosis or person.as_of - psychosis[0].on <= COURSE_GAP_DAYS:
        return None
    return Finding(
        "medium",
        f"psychosis recorded on {iso(psychosis[0].on)}; no regular antipsychotic recorded",
        (_DECIDED,),
        psychosis,
        action=_NEVER,
        title="No antipsychotic recorded",
        unchecked=() if person.courses else ("no supply of any medicine is recorded",),
    )


def need(person: PersonAsKnown) -> Iterator[Gap]:
    """ANTIPSYCHOTIC_NEED: a regular antipsychotic is current in dementia with no medicines review for 6 weeks (NICE
    NG97), or in a learning disability or autism with no psychosis or bipolar disorder recorded and no review for 180
    days (STOMP).

    [D]: high in dementia, medium where psychosis or bipolar disorder is recorded too; medium for STOMP. The facts
    that STOMP needs are read as clinical facts and never named.
    """
    if not person.regimen("antipsychotics") > 0:
        return
    held = [c for c in person.current if c.medicine.is_antipsychotic and not c.required]
    if not held:
        return
    dementia = person.diagnosed("dementia")
    named = [person.patient("learning_disability"), person.patient("autism")]
    flagged = any(code is not None and THREE_WAY[code] == "confirmed" for code in named)
    stomp = flagged or person.diagnosed("learning disability")
    if not dementia and not stomp:
        return
    reviews = [c.day for c in person.reviews if c.kind == "medicines_review"]
    result = person.last_met("structured_medication_review")
    last = max([*reviews, *([result.day] if result else [])], default=NO_DAY)
    ago = person.as_of - last if last != NO_DAY else None
    reviewed = f"last medicines review on {iso(last)}" if ago is not None else "no medicines review recorded"
    names = ", ".join(dict.fromkeys(c.medicine.base for c in held))
    rows = tuple(person.supplied(c, c.medicine.name) for c in held)
    reason = person.diagnosed("psychosis") or person.diagnosed("bipolar")
    found = []
    if dementia and (ago is None or ago > DEMENTIA_REVIEW_DAYS):
        found.append(
            Finding(
                "medium" if reason else "high",
                f"{names} with dementia recorded; {reviewed}",
                (citations.document("NICE NG97 1.7 and MHRA March 2009, as remembered", False),),
                (*dementia, *rows),
                action=(
                    "Review now and every 6 weeks: is it still needed, at the lowest dose? Risk of stroke, falls and"
                    " death; look for pain, infection and other causes; agree a stop date."
                ),
                title="Antipsychotic in dementia not reviewed",
            )
        )
    if stomp and not dementia and not reason and (ago is None or ago > NEED_REVIEW_DAYS):
        found.append(
            Finding(
                "medium",
                f"{names} with no psychosis or bipolar disorder recorded; {reviewed}",
                (citations.document("NHS England STOMP programme, as remembered", False),),
                rows,
                action=(
                    "STOMP review: what is it for, does it help, can it be reduced or stopped? Agree it with the person"
                    " and those who support them."
                ),
                title="Antipsychotic with no reason recorded: STOMP review",
            )
        )
    if found:
        yield from gap_of(CODES["ANTIPSYCHOTIC_NEED"], found)


RULES = (no_antipsychotic, need)
