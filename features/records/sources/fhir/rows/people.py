"""Patient, Flag, CarePlan, CareTeam, Organization and PractitionerRole as rows."""

from __future__ import annotations

from features.records.days import NO_DAY
from features.records.reading.deaths import says_no_death
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CONFLICT
from features.records.sources.fhir.dates import NotADate, birth_day, day
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MAPPED, NOT_MAPPED, NOT_READ, USED, Sink
from features.reference.words import CLOSED_KINDS, circumstance_kind

_DRAFTS = ("entered-in-error", "draft", "unknown")


def last_updated(resource: r.Resource) -> int:
    """The day of meta.lastUpdated, NO_DAY without one."""
    return day(resource.meta.lastUpdated) if resource.meta else NO_DAY


def patient(one: r.Patient, key: str, sink: Sink) -> str:
    book, scope = sink.book, sink.scope
    for link in one.link:
        other = scope.key(link.other) if link.type in ("replaced-by", "replaces") else None
        if other:
            sink.add("same_person", *((key, other) if link.type == "replaced-by" else (other, key)))
    updated = last_updated(one)
    if one.meta and any(tag.code == "HTEST" for tag in [*one.meta.tag, *one.meta.security]):
        sink.mark_synthetic()
    died, undated = _death(one)
    sink.note_partial("Patient", one.deceasedDateTime)
    if undated:
        died = updated
        sink.notes[
            "Patient: deceased without a date; the day of the last update was taken, or the day of the load"
        ] += 1
        if died == NO_DAY:
            died = NO_DAY - 1  # the day of the load
    ethnicity = None
    for extension in one.extension:
        if extension.url.endswith("EthnicCategory") or extension.url.endswith("ethnic-category"):
            ethnicity = book.word("ethnicity", extension.valueCodeableConcept)
    sex = book.code("gender", one.gender)
    ethnicity = None if ethnicity == CONFLICT else ethnicity
    sink.add("patient", key, birth_day(one.birthDate), sex, ethnicity, died)
    for identifier in one.identifier:
        hashed = scope.identities.hash_of(identifier)
        if hashed:
            sink.add("identifier", key, hashed)
    for spoken in one.communication:
        for extension in spoken.extension:
            if extension.url.endswith("interpreterRequired") and extension.valueBoolean is not None:
                value = "required" if extension.valueBoolean else "not_required"
                if updated == NO_DAY:
                    sink.notes["Patient: interpreter need without a date of update; left out"] += 1
                else:
                    sink.add("circumstance", key, "interpreter", value, updated, updated)
    return f"{MAPPED}patients"


def _death(one: r.Patient) -> tuple[int, bool]:
    """The day of death, NO_DAY without one; and whether the person died on a day that is not known."""
    try:
        died = day(one.deceasedDateTime)
    except NotADate:
        return NO_DAY, bool(one.deceasedBoolean) or not says_no_death(one.deceasedDateTime or "")
    return died, died == NO_DAY and bool(one.deceasedBoolean)


def flag(one: r.Flag, key: str, sink: Sink) -> str:
    if one.status == "entered-in-error":
        return f"{NOT_READ}status"
    meaning = sink.book.word("flag", one.code)
    if meaning == CONFLICT:
        return sink.conflict()
    if meaning is None:
        kind, value = _named_kind(one.code), "a flag without a code of ours"
        if not kind:
            return sink.name_unmapped("Flag", one.code)
    else:
        kind, _, value = meaning.partition("=")
    start, end = (day(one.period.start), day(one.period.end)) if one.period else (NO_DAY, NO_DAY)
    if start == NO_DAY:
        return f"{ASIDE}no day"
    if one.status == "inactive" and end == NO_DAY:
        end = last_updated(one)
        if end == NO_DAY:
            return f"{LEFT_OUT}no longer active, without the day on which it ended"
        sink.notes["Flag: inactive without an end; the day of the last update was taken"] += 1
    subject = sink.scope.key(one.subject)
    sink.add("circumstance", subject, kind, value, start, NO_DAY)
    if end != NO_DAY:
        sink.add("circumstance", subject, kind, "no", end, NO_DAY)
    return f"{MAPPED}circumstances"


def _named_kind(concept: r.CodeableConcept | None) -> str:
    """The kind of circumstance that the name of a flag means; empty where it means none."""
    named = [one.display for one in concept.coding] + [concept.text] if concept else []
    kinds = [circumstance_kind(name) for name in named if name and name.strip()]
    return next((kind for kind in kinds if kind in CLOSED_KINDS), "")


def care_plan(one: r.CarePlan, key: str, sink: Sink) -> str:
    if one.status in _DRAFTS or one.intent in ("proposal", "option"):
        return f"{NOT_READ}status"
    meanings = {sink.book.word("careplan", concept) for concept in one.category} - {None}
    if CONFLICT in meanings or len(meanings) > 1:
        return sink.conflict()
    if not meanings:
        return sink.name_unmapped("CarePlan", one.category[0] if one.category else None)
    on = day(one.created or (one.period.start if one.period else None))
    if on == NO_DAY:
        return f"{ASIDE}no day"
    subject = sink.scope.key(one.subject)
    sink.add("condition", key, subject, meanings.pop(), None, None, "shared care agreement", on, day(one.created), "")
    return f"{MAPPED}conditions"


def care_team(one: r.CareTeam | r.Organization, key: str, sink: Sink) -> str:
    kinds = one.category if isinstance(one, r.CareTeam) else one.type
    words = {sink.book.word("team_kind", concept) for concept in kinds} - {None, CONFLICT}
    sink.add("team", key, one.name, words.pop() if len(words) == 1 else None)
    return f"{USED}teams"


def practitioner_role(one: r.PractitionerRole, key: str, sink: Sink) -> str:
    sink.add("role", key, sink.scope.key(one.practitioner), sink.scope.key(one.organization))
    return f"{USED}staff and team of a contact"


def provenance(one: r.Provenance, key: str, sink: Sink) -> str:
    codes = [code for _, code in sink.book.ordered(one.activity)]
    activity = "CREATE" if not codes or "CREATE" in codes else "UPDATE" if "UPDATE" in codes else ""
    if one.recorded is None or not activity:
        return f"{LEFT_OUT}neither a creation nor an update"
    recorded = day(one.recorded)
    for target in one.target:
        found = sink.scope.key(target)
        if found:
            sink.add("provenance", found, recorded, activity)
    return f"{USED}second clock" if one.target else f"{NOT_MAPPED}no target"
