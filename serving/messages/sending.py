"""Sending a fixed text to one person or to several, when a person presses send. Consent, number, STOP and the hour are
checked at that moment, and STOP and the hour again just before the provider is asked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from features.errors import UpstreamError
from serving.auditlog.log import Audit, AuditUnavailable, Look, append
from serving.http.problems import Problem, not_found
from serving.identities.keys import NotOpened
from serving.identities.service import names_of
from serving.identity.callers import Caller
from serving.messages import repository
from serving.messages.desk import TextingDesk
from serving.messages.incoming.inbound import read_waiting
from serving.messages.numbers.mobile import opened_number
from serving.messages.providers.messengers import NotSent
from serving.messages.templates import names_a_team
from serving.storage.database import DatabaseUnavailable
from serving.storage.visible import place_of
from serving.texting_settings import TextTemplate

MOST_AT_ONCE = 20
"""Largest number of people for one press of the button: the page waits for each."""
SECONDS_OF_ONE_PRESS = 12.0
"""Seconds after which no further person is tried: the page has 20 seconds."""
NOT_SENT = {
    "no-number": "No mobile number is recorded. Add it in the record; it arrives with the next load of numbers.",
    "no-nhs-number": "No NHS number is known here, and texts go by NHS number. It arrives with the next load of names.",
    "no-consent": "They have not agreed to texts, or it is not recorded that they did.",
    "opted-out": "They asked for no more texts. Only they can change that, by texting START.",
    "shared-number": "Another person here has the same number, so nobody would know who replied. Telephone them.",
    "outside-hours": "Texts leave from 9:00 to 19:00. Send it then.",
    "template-changed": "The provider holds other words than the settings. Tell the Upstream administrator.",
    "names-a-team": "The text holds the name of a team, which may say what somebody is treated for. Tell the Upstream "
    "administrator.",
    "not-sent": "The provider did not take it. Telephone them, or try again later.",
    "unknown": "The provider did not answer, so nobody knows whether it was sent. Telephone them.",
    "not-visible": "They are not on a caseload of yours.",
    "no-time": "The provider is slow, so it was not tried. Press send again for them.",
}
"""Why a text was not sent, with what to do."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one person's text. ``why`` is empty if it was sent."""

    patient_id: str
    why: str = ""

    @property
    def sent(self) -> bool:
        return not self.why

    @property
    def in_words(self) -> str:
        return NOT_SENT.get(self.why, "Sent.")


class _Refused(UpstreamError):
    def __init__(self, why: str) -> None:
        self.why = why


def send_text(
    desk: TextingDesk, caller: Caller, audit: Audit, patient_id: str, template_name: str, key: str
) -> Outcome:
    """Sends one fixed text. ``key`` identifies one press of a button, so that a repeated request sends once. 404 for
    a person the caller may not see, 403 for one seen in an emergency only, 422 for a text that the settings do not
    hold.
    """
    template = _template(desk, template_name)
    return _send(desk, caller, audit, patient_id, template, key, _held_back(desk, template))


def send_texts(
    desk: TextingDesk, caller: Caller, audit: Audit, patients: Sequence[str], template_name: str, key: str
) -> list[Outcome]:
    """Sends one fixed text to each of several people. New replies are read before each text: a STOP counts at once."""
    chosen, template = list(dict.fromkeys(patients)), _template(desk, template_name)
    if not chosen:
        raise Problem(422, "invalid-request", "Nothing was sent; choose somebody first.")
    if len(chosen) > MOST_AT_ONCE:
        raise Problem(422, "invalid-request", f"Nothing was sent; choose {MOST_AT_ONCE} people at most.")
    held_back, ends = _held_back(desk, template), time.monotonic() + SECONDS_OF_ONE_PRESS
    found = []
    for patient_id in chosen:
        if time.monotonic() > ends:
            found.append(Outcome(patient_id, "no-time"))
            continue
        try:
            found.append(_send(desk, caller, audit, patient_id, template, key, held_back))
        except Problem as problem:
            if problem.status not in (403, 404):
                raise
            found.append(Outcome(patient_id, "not-visible"))
    return found


def _template(desk: TextingDesk, name: str) -> TextTemplate:
    template = desk.template(name)
    if template is None:
        raise Problem(422, "invalid-request", "Nothing was sent; choose one of the texts.")
    return template


def _held_back(desk: TextingDesk, template: TextTemplate) -> str:
    """The reason why no text may be sent now, if any: the hour, the name of a team in the text, or words at the
    provider that differ from those checked at start.
    """
    if not desk.may_send_now:
        return "outside-hours"
    with desk.database.write() as connection:
        names = repository.team_names(connection)
    if names_a_team(template.text, names):
        return "names-a-team"
    try:
        held = desk.messenger.text_of(template)
    except NotSent:
        return "not-sent"
    same = held is None or " ".join(held.split()) == " ".join(template.text.split())
    return "" if same else "template-changed"


def _send(
    desk: TextingDesk,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    template: TextTemplate,
    key: str,
    held_back: str,
) -> Outcome:
    text_id = hashlib.sha256(f"{caller.person}\n{key}\n{patient_id}".encode()).hexdigest()
    read_waiting(desk)
    try:
        number = _reserve(desk, caller, audit, patient_id, template, text_id, held_back)
        if number is None:
            return _again(desk, patient_id, text_id)
        return Outcome(patient_id, _hand_over(desk, number, template, text_id))
    except _Refused as refused:
        return Outcome(patient_id, refused.why)
    except DatabaseUnavailable as error:
        raise AuditUnavailable(str(error)) from None


def _reserve(
    desk: TextingDesk,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    template: TextTemplate,
    text_id: str,
    held_back: str,
) -> str | None:
    """Records that a text is about to be sent, with its audit event, and returns the number. None if this press was
    recorded before.
    """
    place = None
    with desk.database.write(caller) as connection:
        place = place_of(connection, caller, patient_id)
        if place is not None:
            if caller.is_beyond(place.team_id):
                raise Problem(
                    403, "emergency-reads-only", "Emergency access is for reading; their own team texts them."
                )
            if repository.text_status(connection, text_id) is not None:
                return None
            if held_back:
                raise _Refused(held_back)
            number, number_hash = _number(desk, connection, caller, patient_id)
            row = {
                "text_id": text_id,
                "patient_id": patient_id,
                "team_id": place.team_id,
                "number_hash": number_hash,
                "template": template.name,
                "automatic": False,
                "provider_id": None,
                "status": "sending",
                "status_at": desk.now(),
                "created_at": desk.now(),
                "sent_by": caller.person,
                "sent_by_name": caller.label or caller.role_label,
            }
            if not repository.add_text(connection, row):
                return None  # the same press, made at the same moment
            look = Look("text.sent", (patient_id,), place.team_id, place.run_id, detail={"template": template.name})
            append(connection, audit, look)
            return number
    audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
    raise not_found()


def _number(desk: TextingDesk, connection: Connection, caller: Caller, patient_id: str) -> tuple[str, str]:
    """The number that the provider asks for and the hash of the mobile number, where the person agreed to texts and did
    not end them."""
    row = repository.number_of(connection, caller, patient_id)
    if row is None:
        raise _Refused("no-number")
    if not row.consented:
        raise _Refused("no-consent")
    if repository.opted_out(connection, row.number_hash):
        raise _Refused("opted-out")
    try:
        number = opened_number(desk.keys, patient_id, row.sealed, row.key_id)
    except (NotOpened, ValueError):
        raise _Refused("no-number") from None
    if not desk.messenger.by_nhs_number:
        return number, row.number_hash
    known = names_of(desk.database, caller, desk.keys, [patient_id]).get(patient_id)
    if known is None or not known.nhs_number:
        raise _Refused("no-nhs-number")
    return known.nhs_number, row.number_hash


def _hand_over(desk: TextingDesk, number: str, template: TextTemplate, text_id: str) -> str:
    """Gives a reserved text to the provider; returns why it was not sent, if it was not. An unread reply is read
    first: it may be a STOP.
    """
    why, provider_id = "", ""
    with desk.database.write() as connection:
        row = repository.text_row(connection, text_id)
        may_stop = row is not None and repository.unread_from(connection, row.number_hash)
    if may_stop:
        read_waiting(desk)
    with desk.database.write() as connection:
        if row is not None and repository.opted_out(connection, row.number_hash):
            why = "opted-out"
        elif row is not None and len(repository.holders(connection, row.number_hash)) > 1:
            why = "shared-number"
        elif not desk.may_send_now:
            why = "outside-hours"
    if not why:
        try:
            provider_id = desk.messenger.send(number, template, text_id)
        except NotSent as error:
            why = "not-sent" if error.certain else "unknown"
    with desk.database.write() as connection:
        if provider_id:
            repository.taken_by_provider(connection, text_id, provider_id, desk.now())
        else:
            repository.set_text_status(connection, text_id, why, desk.now())
    return why


def _again(desk: TextingDesk, patient_id: str, text_id: str) -> Outcome:
    """The outcome of a press that was recorded before."""
    with desk.database.write() as connection:
        status = repository.text_status(connection, text_id) or ""
    return Outcome(patient_id, status if status in NOT_SENT else "unknown" if status == "sending" else "")
