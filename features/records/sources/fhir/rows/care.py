"""Appointment, Encounter, EpisodeOfCare and ServiceRequest as rows: contacts, stays and referrals."""

from __future__ import annotations

from features.records.days import NO_DAY
from features.records.sources.fhir import resources as r
from features.records.sources.fhir.codebook import CONFLICT
from features.records.sources.fhir.dates import day
from features.records.sources.fhir.rows.people import last_updated
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MAPPED, NOT_READ, Sink

_TEAM_TYPES = ("CareTeam/", "Organization/", "HealthcareService/")
_STAFF_TYPES = ("Practitioner/", "PractitionerRole/")


def appointment(one: r.Appointment, key: str, sink: Sink) -> str:
    book, scope = sink.book, sink.scope
    outcome: str | None
    if one.status == "cancelled":
        reason = book.word("cancel_reason", one.cancelationReason)
        if reason == CONFLICT:
            return sink.conflict()
        if reason is None:
            sink.notes["Appointment: cancelled without a known reason; read as cancelled by the service"] += 1
        outcome = reason or "cancelled_by_service"
    else:
        outcome = book.code("appointment_status", one.status)
        if outcome is None:
            return f"{NOT_READ}status"
    start = one.start or (one.requestedPeriod[0].start if one.requestedPeriod else None)
    on = day(start)
    if on == NO_DAY:
        return f"{ASIDE}no day"
    sink.note_partial("Appointment", start)
    subject = team = staff = None
    for participant in one.participant:
        actor = scope.key(participant.actor)
        if actor is None:
            continue
        if actor.startswith("Patient/") or actor[0] == "=":
            subject = subject or actor
        elif actor.startswith(_TEAM_TYPES):
            team = team or actor
        elif actor.startswith(_STAFF_TYPES):
            staff = staff or actor
    kind = _kind(sink, [*one.serviceType, *([one.appointmentType] if one.appointmentType else []), *one.reasonCode])
    booked = day(one.created)
    sink.add(
        "contact", key, subject, None, team, staff, on, booked, _channel(one, sink), kind, outcome, last_updated(one),
        booked,
    )  # fmt: skip
    return f"{MAPPED}contacts"


def encounter(one: r.Encounter, key: str, sink: Sink) -> str:
    if one.status in ("entered-in-error", "unknown", None):
        return f"{NOT_READ}status"
    start, end = (one.period.start, one.period.end) if one.period else (None, None)
    on = day(start)
    if on == NO_DAY:
        return f"{ASIDE}no day"
    sink.note_partial("Encounter", start)
    stay = sink.book.word("class_stay", one.class_)
    if stay and stay != CONFLICT:
        return _stay(one, key, sink, stay, on, day(end))
    outcome = {"planned": "planned", "cancelled": "cancelled_by_service"}.get(one.status, "attended")
    scope = sink.scope
    staff = next((scope.key(p.individual) for p in one.participant if p.individual), None)
    mode = _channel(one, sink) or sink.book.word("class_mode", one.class_)
    kind = _kind(sink, [*one.type, *([one.serviceType] if one.serviceType else [])])
    sink.add(
        "contact", key, scope.key(one.subject), scope.key(one.appointment[0]) if one.appointment else None,
        scope.key(one.serviceProvider), staff, on, NO_DAY, mode, kind, outcome, last_updated(one), NO_DAY,
    )  # fmt: skip
    return f"{MAPPED}contacts"


def _stay(one: r.Encounter, key: str, sink: Sink, ward: str, admitted: int, discharged: int) -> str:
    if one.status in ("planned", "cancelled"):
        return f"{LEFT_OUT}an admission that did not take place"
    book = sink.book
    method = legal = None
    inside = one.hospitalization.extension if one.hospitalization else []
    for extension in (*inside, *one.extension):
        if extension.url.endswith("AdmissionMethod"):
            method = book.word("admission_method", extension.valueCodeableConcept)
        elif extension.url.endswith("LegalStatus"):
            for part in extension.extension or [extension]:
                if part.url in ("legalStatusClassification", extension.url):
                    legal = book.word("legal_status", part.valueCodeableConcept)
    if CONFLICT in (method, legal):
        return sink.conflict()
    word = book.word("ward", one.serviceType)
    if one.status == "finished" and discharged == NO_DAY:
        sink.notes["Encounter: a finished stay without an end; it is read as open"] += 1
    over = discharged if one.status == "finished" or discharged != NO_DAY else NO_DAY
    sink.add(
        "stay", key, sink.scope.key(one.subject), admitted, over, method or "unknown",
        word if word and word != CONFLICT else ward, legal or "unknown", last_updated(one), NO_DAY,
    )  # fmt: skip
    return f"{MAPPED}stays"


def _channel(one: r.Resource, sink: Sink) -> str | None:
    for extension in one.extension:
        if extension.url.endswith("DeliveryChannel"):
            found = sink.book.word("mode", extension.valueCodeableConcept)
            return None if found == CONFLICT else found
    return None


def _kind(sink: Sink, concepts: list[r.CodeableConcept]) -> str | None:
    """The kind of a contact. It is not known if the codings name two different kinds."""
    found = {sink.book.word("contact_kind", concept) for concept in concepts} - {None, CONFLICT}
    return found.pop() if len(found) == 1 else None


def episode(one: r.EpisodeOfCare, key: str, sink: Sink) -> str:
    if one.status in ("entered-in-error", "planned", "waitlist", "cancelled", None):
        return f"{NOT_READ}status"
    started = one.period.start if one.period else None
    opened = day(started)
    if opened == NO_DAY:
        return f"{ASIDE}no day"
    sink.note_partial("EpisodeOfCare", started)
    closed = day(one.period.end) if one.period and one.period.end else NO_DAY
    if one.status == "finished" and closed == NO_DAY:
        closed = next((day(h.period.start) for h in one.statusHistory if h.status == "finished" and h.period), NO_DAY)
        if closed == NO_DAY:
            sink.notes["EpisodeOfCare: finished without an end; the person stays on the caseload"] += 1
    reason = None
    for extension in one.extension:
        if extension.url.endswith(("close-reason", "ClosureReason")):
            reason = extension.valueCode or sink.book.word("close_reason", extension.valueCodeableConcept)
    if closed != NO_DAY and reason is None:
        reason = "other"
        sink.notes["EpisodeOfCare: R4 has no reason for closing; disengagement by closure cannot be derived"] += 1
    teams = [sink.scope.key(team) for team in one.team] or [sink.scope.key(one.managingOrganization)]
    requests = " ".join(filter(None, (sink.scope.key(request) for request in one.referralRequest)))
    subject = sink.scope.key(one.patient)
    for number, team in enumerate(dict.fromkeys(teams)):
        name = key if number == 0 else f"{key}.{number + 1}"
        sink.add(
            "referral", name, subject, team, opened, closed, reason if closed != NO_DAY else None, last_updated(one),
            NO_DAY, requests,
        )  # fmt: skip
    manager = sink.scope.key(one.careManager)
    if manager:
        sink.add("circumstance", subject, "care_coordinator", manager.partition("/")[2] or manager, opened, NO_DAY)
    return f"{MAPPED}referrals"


def service_request(one: r.ServiceRequest, key: str, sink: Sink) -> str:
    if one.doNotPerform or one.intent in ("proposal", "plan", "option"):
        return f"{LEFT_OUT}not an order"
    if one.status in ("draft", "revoked", "entered-in-error", "unknown", None):
        return f"{NOT_READ}status"
    words = {sink.book.word("referral", concept) for concept in [*one.category, *([one.code] if one.code else [])]}
    if not words - {None, CONFLICT}:
        return sink.name_unmapped("ServiceRequest", one.code or (one.category[0] if one.category else None))
    opened = day(one.authoredOn)
    if opened == NO_DAY:
        return f"{ASIDE}no day"
    team = sink.scope.key(one.performer[0]) if one.performer else None
    sink.add("referral", key, sink.scope.key(one.subject), team, opened, NO_DAY, None, last_updated(one), opened, key)
    return f"{MAPPED}referrals"
