"""order-select: checks the selected medicine by the caseload's rules. No model is used, and no data of the request is
stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from features.gaps.gap import Gap
from features.gaps.orders import gaps_of_order
from features.records.days import day_of
from features.records.problems import RecordsError
from features.records.records import Records
from features.records.sources.fhir.codebook import CodeBook, load_codebook
from features.records.sources.fhir.in_memory import records_of
from features.records.sources.fhir.resources import CodeableConcept, MedicationRequest, decode
from serving.cds import repository
from serving.cds.catalogue import needed, order_prefetch
from serving.cds.schemas import HookCards, OrderSelect
from serving.cds.showing import Answering, Draft, PersonOnList
from serving.cds.wording import FROM_RULES, gap_lines, plain_markdown, said
from serving.http.problems import Problem
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.wording import dated, sentence, upper_first, without_row_ids

CARDS_FROM = ("critical", "high", "medium")
"""Severities that get a card. The lowest is folded on a page, and a card for it would be one too many."""
MOST_CARDS = 10
_PATIENT = "Patient"


def order_select(answering: Answering, hook: OrderSelect, today: dt.date, dmd: Path | None) -> HookCards:
    """One card for each rule that fires for the selected medicines, and one for medicines that no table of ours
    holds. 412 if data that the rules need was not sent; 422 if the selected orders are not among the drafts.
    """
    sent = needed(hook.prefetch, tuple(order_prefetch()))
    orders = [one for one in _selected(hook) if one.get("resourceType") == "MedicationRequest"]
    orders = [one for one in orders if not one.get("doNotPerform")]
    person = _on_a_list(answering, hook.context.patientId)
    if not orders:
        return answering.show([], person)
    book = codebook(dmd)
    resources = [one for found in sent.values() for one in _resources(found)]
    medicines, unknown = _named(orders, [*resources, *_entries(hook.context.draftOrders)], book)
    records = _records(hook, resources, orders, today, book)
    gaps: list[Gap] = []
    if medicines:
        gaps = gaps_of_order(records, hook.context.patientId, medicines, day_of(today + dt.timedelta(days=1)))
    drafts = [_of_gap(gap) for gap in gaps if gap.severity in CARDS_FROM][:MOST_CARDS]
    return answering.show([*drafts, *_not_checked(unknown)], person)


@lru_cache(maxsize=2)
def codebook(dmd: Path | None) -> CodeBook:
    return load_codebook(None, dmd)


def _on_a_list(answering: Answering, patient_id: str) -> PersonOnList | None:
    """The person's place, for the link and the exposure log. None if they are not on a list of the client."""
    with answering.database.read(answering.caller) as connection:
        row = repository.place(connection, answering.caller, patient_id)
        run = current_run(connection) if row is not None else None
        return None if row is None or run is None else PersonOnList(patient_id, row.team_id, RunInfo.of(run), row.place)


def _entries(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    entries = bundle.get("entry")
    found = [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return [one for one in found if isinstance(one, dict)]


def _resources(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of a search's Bundle, or the one resource."""
    return _entries(found) if found.get("resourceType") == "Bundle" else [found]


def _selected(hook: OrderSelect) -> list[dict[str, Any]]:
    drafts = {f"{one.get('resourceType')}/{one.get('id')}": one for one in _entries(hook.context.draftOrders)}
    if any(name not in drafts for name in hook.context.selections):
        raise Problem(422, "invalid-request", "A selection names no order of draftOrders; send both as Type/id.")
    return [drafts[name] for name in dict.fromkeys(hook.context.selections)]


def _records(
    hook: OrderSelect, resources: list[dict[str, Any]], orders: list[dict[str, Any]], today: dt.date, book: CodeBook
) -> Records:
    """The records sent for this person, with the selected orders as supplies of today."""
    subject = {"reference": f"{_PATIENT}/{hook.context.patientId}"}
    made = [
        {**one, "status": "active", "intent": "order", "authoredOn": today.isoformat(), "subject": subject}
        for one in orders
    ]
    ordered = {(one.get("resourceType"), one.get("id")) for one in made}
    rest = [one for one in resources if (one.get("resourceType"), one.get("id")) not in ordered]
    if not any(one.get("resourceType") == _PATIENT for one in rest):
        rest.append({"resourceType": _PATIENT, "id": hook.context.patientId})
    helped = [one for one in _entries(hook.context.draftOrders) if one.get("resourceType") == "Medication"]
    lines = [msgspec.json.encode(one) for one in (*rest, *helped, *made)]
    try:
        found = records_of(lines, today, book, hook.fhirServer.rstrip("/") if hook.fhirServer else None).records
    except RecordsError:
        raise Problem(
            422, "not-r4", "Send FHIR R4 with logical ids that are no NHS numbers; see docs/connect.md."
        ) from None
    if hook.context.patientId not in found.patient_ids:
        raise Problem(412, "prefetch-missing", "Send the Patient of the context as the prefetch data patient.")
    return found


def _named(
    orders: Sequence[dict[str, Any]], resources: Sequence[dict[str, Any]], book: CodeBook
) -> tuple[frozenset[str], int]:
    """Names of the medicines ordered, and how many orders name none that our tables hold."""
    held = {
        f"Medication/{one.get('id')}": one.get("code") for one in resources if one.get("resourceType") == "Medication"
    }
    names, unknown = set(), 0
    for order in orders:
        try:
            sent = decode(msgspec.json.encode(order))
            assert isinstance(sent, MedicationRequest)
        except msgspec.DecodeError:
            raise Problem(422, "invalid-request", "A selected order is no MedicationRequest of FHIR R4.") from None
        contained = order.get("contained") or ()
        inside = {f"#{one.get('id')}": one.get("code") for one in contained if isinstance(one, dict)}
        reference = (sent.medicationReference and sent.medicationReference.reference) or ""
        concept: Any = sent.medicationCodeableConcept or inside.get(reference) or held.get(reference)
        try:
            product = book.product_of(msgspec.convert(concept or {}, CodeableConcept, from_attributes=True), None, None)
        except msgspec.ValidationError:
            product = None
        if product is None or isinstance(product, str):
            unknown += 1
        else:
            names.add(product.medicine)
    return frozenset(names), unknown


def _of_gap(gap: Gap) -> Draft:
    found = _Shown(gap)
    summary = said(found)
    if gap.value:
        summary += f". {upper_first(dated(gap.value))}"
    unchecked = (
        f"\n\nCould not be checked: {plain_markdown('; '.join(gap.could_not_check))}." if gap.could_not_check else ""
    )
    return Draft(
        summary=summary,
        indicator="warning" if gap.severity in ("critical", "high") else "info",
        source=f"Upstream: {without_row_ids(gap.source) or gap.code.standard}"[:200],
        detail=f"{FROM_RULES}\n\n{gap_lines(found)}{unchecked}",
        about=(gap.code.code,),
    )


def _not_checked(unknown: int) -> Iterator[Draft]:
    if unknown:
        text = "Not in Upstream's tables: no interaction or burden is known."
        yield Draft(
            summary=f"A selected medicine was not checked. {text}",
            indicator="info",
            source="Upstream",
            detail=sentence(f"{unknown} of the selected medicines could not be read by code. {text}"),
            about=("NOT_CHECKED",),
        )


class _Shown:
    """A gap found by this request, with the field names of a stored gap."""

    def __init__(self, gap: Gap) -> None:
        self.code, self.title, self.severity = gap.code.code, gap.title or gap.code.title, str(gap.severity)
        self.days_overdue = None if gap.overdue is None else float(gap.overdue)
        self.value, self.action, self.standard = gap.value, gap.action or gap.code.action, gap.code.standard
        self.verified = gap.verified
