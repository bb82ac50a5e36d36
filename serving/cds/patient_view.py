"""patient-view: cards about the person in the open record, from the published list. Nothing is computed here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from features.records.reading.nhs_numbers import NhsKey
from serving.cds import repository
from serving.cds.catalogue import needed
from serving.cds.schemas import HookCards, PatientView
from serving.cds.showing import Answering, Draft, PersonOnList, listed_by
from serving.cds.wording import FROM_RULES, NOT_CAUSES, gap_lines, reason_lines, said
from serving.gap_statuses.service import statuses_of
from serving.http.problems import Problem
from serving.runs.repository import current_run
from serving.runs.schemas import RunInfo
from serving.security.smart_flow import nhs_number_of
from serving.settings import CdsClient
from serving.wording import about_in_100, day, days, outcome_label, outcome_sentence, severity_label, upper_first
from serving.worklists.entries.repository import reviews_of
from serving.worklists.rules import Standing

SHOWN_REASONS = 3


def patient_view(answering: Answering, hook: PatientView, client: CdsClient, key: NhsKey | None) -> HookCards:
    """Cards about one person of the published list: at most one of care gaps and one of the risk. No cards for a
    person that the client may not see; the request is audited all the same.
    """
    patient_id = person_of(hook, client, key)
    return cards_of(answering, patient_id)


def cards_of(answering: Answering, patient_id: str) -> HookCards:
    """The same for a person by our own id."""
    with answering.database.read(answering.caller) as connection:
        row = repository.place(connection, answering.caller, patient_id)
        run = current_run(connection) if row is not None else None
        if row is not None and run is not None:
            info = RunInfo.of(run)
            person = PersonOnList(patient_id, row.team_id, info, row.place)
            today = dt.datetime.now(dt.UTC).date()
            gaps = repository.shown_gaps(connection, answering.caller, patient_id)
            reviews = reviews_of(connection, answering.caller, [patient_id])
            statuses = statuses_of(connection, answering.caller, [patient_id], reviews, today) if gaps else {}
            held = {code: status.in_words for (_, code), status in statuses.items() if status.holds}
            chosen = listed_by(info) if row.standing == Standing.LISTED.value else None
            risk = repository.risk(connection, answering.caller, patient_id, *chosen) if chosen else None
    if row is None or run is None:
        return answering.show_nothing(patient_id)
    drafts = [*_of_gaps(gaps, held, info), *(_of_risk(risk, chosen, info) if risk is not None and chosen else [])]
    return answering.show(drafts, person)


def person_of(hook: PatientView, client: CdsClient, key: NhsKey | None) -> str:
    """Our id of the person. 412 if it is derived from an NHS number and none was sent."""
    if client.patients == "id":
        return hook.context.patientId
    patient = needed(hook.prefetch, ("patient",)).get("patient", {})
    number = nhs_number_of(patient)
    if number is None or key is None:
        raise Problem(412, "no-nhs-number", "Send a Patient with a valid NHS number as the prefetch data patient.")
    return key.pseudonym(number)


def source_of(run: RunInfo) -> str:
    """``Upstream, list of 5 January 2026, synthetic data``."""
    marks = ", synthetic data" if run.synthetic else ""
    return f"Upstream, list of {day(run.as_of)}{marks}{', model not promoted' if run.not_promoted else ''}"


def _of_gaps(gaps: Sequence[Any], held: dict[str, str], run: RunInfo) -> list[Draft]:
    """One card for all gaps that a page shows. No card if there are none."""
    waiting = [gap for gap in gaps if gap.code not in held]
    if not waiting:
        return []
    more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    worst = severity_label(waiting[0].severity)
    lines = "\n".join(
        gap_lines(gap, held.get(gap.code, "")) for gap in (*waiting, *(g for g in gaps if g.code in held))
    )
    return [
        Draft(
            summary=f"{worst}: {said(waiting[0])}{more}",
            indicator="warning" if waiting[0].severity in ("critical", "high") else "info",
            source=source_of(run),
            detail=f"Overdue or missing care on {day(run.as_of)}. {FROM_RULES}\n\n{lines}",
            about=tuple(gap.code for gap in waiting),
        )
    ]


def _of_risk(risk: Any, chosen: tuple[str, int], run: RunInfo) -> list[Draft]:
    """A card for a person with a place on this week's review list: the risk by which the list is sorted."""
    outcome, horizon = chosen
    parts = [
        f"{upper_first(about_in_100(risk.probability))} {outcome_sentence(outcome)} within {days(horizon)}.",
        reason_lines(risk.reasons[:SHOWN_REASONS]),
        NOT_CAUSES,
    ]
    return [
        Draft(
            summary=f"On this week's review list. {outcome_label(outcome)}, {days(horizon)}: "
            f"{about_in_100(risk.probability)}",
            indicator="info",
            source=source_of(run),
            detail="\n\n".join(parts),
            about=(f"{outcome}_{horizon}",),
        )
    ]
