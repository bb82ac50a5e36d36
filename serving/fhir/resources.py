"""Builds RiskAssessment, DetectedIssue, Task and ServiceRequest (R4) from rows of the published list. Makes no query.

A probability is written as a percentage: in R4 the largest value of ``probabilityDecimal`` is 100. 8.3 read as a
proportion is plainly wrong; 0.083 read as a percentage would look like a very small risk. An extension holds the
proportion. ``qualitativeRisk`` is never written: its codes would grade people.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from serving.fhir.ids import PERSON, person_part, resource_id
from serving.gap_statuses.schemas import Status
from serving.gap_wording import gap_parts
from serving.runs.schemas import RunInfo
from serving.wording import dated, day, days, outcome_label, sentence, source_label, without_row_ids

JsonDict = dict[str, Any]
LONDON = ZoneInfo("Europe/London")
SYSTEM = "urn:upstream"
PROPORTION = f"{SYSTEM}:probability-as-proportion"
PROBABILITY_RANGE = f"{SYSTEM}:probability-range-90-percent"
DEVICE = "upstream"
SEVERITY = {"critical": "high", "high": "high", "medium": "moderate"}
"""The lowest severity has no FHIR code here: FHIR's word for it would make the person look safe."""
TESTS_FOR = {
    "CLZ_FBC_OVERDUE": ("26604007", "Full blood count"),
    "LI_LEVEL_OVERDUE": ("", "Lithium level, 12 hours after the dose"),
    "LI_RENAL_THYROID_CALCIUM": ("", "Kidney function, electrolytes, calcium and thyroid function"),
}
"""Blood tests that a care gap asks for: a SNOMED CT code where the public lists give one, and the words."""
TASK_STATUS = {
    Status.ACKNOWLEDGED: "accepted",
    Status.BOOKED: "accepted",
    Status.NOT_APPLICABLE: "rejected",
    Status.DONE: "completed",
}

REQUEST_STATUS = {
    Status.ACKNOWLEDGED: "active",
    Status.BOOKED: "active",
    Status.NOT_APPLICABLE: "revoked",
    Status.DONE: "completed",
}


@dataclass(frozen=True)
class RiskEstimate:
    """One outcome within one horizon. ``reasons`` hold direction, sentence and rows, ``ends`` its range."""

    horizon_days: int
    probability: float
    reasons: Sequence[Mapping[str, Any]]
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Issue:
    """One care gap, with its status if that is still valid."""

    gap: Mapping[str, Any]
    status: Status | None = None
    status_in_words: str = ""


@dataclass(frozen=True)
class Assessed:
    """One person on the published list."""

    patient_id: str
    run: RunInfo
    estimates: Mapping[str, Sequence[RiskEstimate]]
    issues: Sequence[Issue]
    middle: Mapping[str, float] = field(default_factory=dict)

    def risk_assessments(self) -> list[JsonDict]:
        return [_risk_assessment(self, outcome, found) for outcome, found in self.estimates.items()]

    def detected_issues(self) -> list[JsonDict]:
        return [_detected_issue(self, issue) for issue in self.issues]

    def tasks(self) -> list[JsonDict]:
        """A proposal for each gap that a page shows without being asked. A person accepts it on the page, never a
        program.
        """
        return [_task(self, issue) for issue in self.proposed]

    def service_requests(self) -> list[JsonDict]:
        """The blood tests among the proposals."""
        return [_service_request(self, issue) for issue in self.proposed if issue.gap["code"] in TESTS_FOR]

    @property
    def proposed(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.gap["shown"]]


def _about(one: Assessed, kind: str, what: str) -> JsonDict:
    """The fields of every resource: its id, version, tag, and the device that made it."""
    meta: JsonDict = {"lastUpdated": one.run.published_at.isoformat(timespec="seconds")}
    if one.run.synthetic:
        meta["tag"] = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]
    device = {
        "resourceType": "Device",
        "id": DEVICE,
        "deviceName": [{"name": "Upstream", "type": "model-name"}],
        "version": [{"value": one.run.model_version}],
    }
    return {
        "resourceType": kind,
        "id": resource_id(what, one.patient_id),
        "meta": meta,
        "contained": [device],
        "identifier": [{"system": f"{SYSTEM}:run", "value": f"{one.run.run_id}/{one.patient_id}/{what}"}],
    }


def subject(patient_id: str) -> JsonDict:
    """The person, by reference where FHIR allows our id as one, and by identifier."""
    named: JsonDict = {"identifier": {"system": PERSON, "value": patient_id}, "type": "Patient"}
    return {"reference": f"Patient/{patient_id}", **named} if person_part(patient_id) == patient_id else named


def _made_by() -> JsonDict:
    return {"reference": f"#{DEVICE}"}


def midnight(on: dt.date) -> str:
    """00:00 of a day in London, as a moment."""
    return dt.datetime.combine(on, dt.time(), LONDON).isoformat()


def _row(row: Mapping[str, Any]) -> JsonDict:
    """A row of the record as a logical reference, because the source's own id is not known here."""
    on = f"{row['on']}: " if row.get("on") else ""
    return {
        "identifier": {"system": f"{SYSTEM}:record-row", "value": f"{row['table']}/{row['row']}"},
        "display": f"{on}{dated(str(row['what']))} ({source_label(row['table'])})",
    }


def _risk_assessment(one: Assessed, outcome: str, estimates: Sequence[RiskEstimate]) -> JsonDict:
    run = one.run
    rows = {
        (row["table"], row["row"]): row for found in estimates for reason in found.reasons for row in reason["rows"]
    }
    made = _about(one, "RiskAssessment", outcome) | {
        "status": "final",
        "method": {"coding": [{"system": f"{SYSTEM}:model", "code": run.model_version}], "text": "Upstream"},
        "code": _outcome(outcome),
        "subject": subject(one.patient_id),
        "occurrenceDateTime": run.as_of.isoformat(),
        "performer": _made_by(),
        "prediction": [_prediction(one, outcome, found) for found in estimates],
        "note": [{"text": note} for note in _notes(run)],
    }
    if rows:
        made["basis"] = [_row(row) for row in rows.values()]
    actions = list(dict.fromkeys(issue.gap["action"] for issue in one.proposed))
    if actions:
        made["mitigation"] = " ".join(actions)
    return made


def _outcome(outcome: str) -> JsonDict:
    return {"coding": [{"system": f"{SYSTEM}:outcome", "code": outcome}], "text": outcome_label(outcome)}


def _prediction(one: Assessed, outcome: str, found: RiskEstimate) -> JsonDict:
    as_of = one.run.as_of
    made: JsonDict = {
        "extension": [{"url": PROPORTION, "valueDecimal": found.probability}],
        "outcome": _outcome(outcome) | {"text": f"{outcome_label(outcome)} within {days(found.horizon_days)}"},
        "probabilityDecimal": round(100 * found.probability, 6),
        "whenPeriod": {
            "start": midnight(as_of),
            "end": midnight(as_of + dt.timedelta(days=found.horizon_days)),
        },
    }
    if found.ends is not None:
        made["extension"].append(_range(found.ends))
    middle = one.middle.get(f"{outcome}_{found.horizon_days}")
    if middle:
        made["relativeRisk"] = round(found.probability / middle, 4)
    sentences = [sentence(str(reason["sentence"])) for reason in found.reasons]
    if sentences:
        made["rationale"] = " ".join(sentences)
    return made


def _range(ends: tuple[float, float]) -> JsonDict:
    """The range that holds nine true risks in ten, in per cent as ``probabilityDecimal`` is. R4 allows a prediction one
    probability, a number or a range, so the range goes along beside the number."""
    low, high = (
        {"value": round(100 * end, 6), "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"} for end in ends
    )
    return {"url": PROBABILITY_RANGE, "valueRange": {"low": low, "high": high}}


def _notes(run: RunInfo) -> list[str]:
    newest = f" The newest record is of {day(run.newest_record_on)}." if run.newest_record_on else ""
    notes = [
        f"From what had happened and was known before {day(run.as_of)}.{newest} The relative risk is against the "
        "team's median. An estimate does not replace clinical judgement, and no estimate says that somebody is safe."
    ]
    if run.synthetic:
        notes.append("Synthetic data: this is nobody's risk.")
    if run.not_promoted:
        notes.append("The model was not promoted; only a demo shows it.")
    return notes


def _said(gap: Mapping[str, Any]) -> str:
    what, long = gap_parts(gap["code"], gap["title"], gap["days_overdue"])
    return f"{what}: {long}" if long else what


def _detected_issue(one: Assessed, issue: Issue) -> JsonDict:
    gap = issue.gap
    detail = [sentence(dated(gap["value"])) if gap["value"] else "", f"Suggested: {gap['action']}"]
    detail += [f"Standard: {sentence(gap['standard'])}"]
    if source := without_row_ids(gap["source"]):
        detail.append(f"Source: {sentence(source)}")
    if not gap["verified"]:
        detail.append("The standard is not yet verified.")
    if gap["could_not_check"]:
        detail.append(f"Could not be checked: {'; '.join(gap['could_not_check'])}.")
    if issue.status_in_words:
        detail.append(sentence(issue.status_in_words))
    made = _about(one, "DetectedIssue", gap["code"]) | {
        "status": "final",
        "code": {"coding": [{"system": f"{SYSTEM}:care-gap", "code": gap["code"]}], "text": _said(gap)},
        "patient": subject(one.patient_id),
        "identifiedDateTime": one.run.as_of.isoformat(),
        "author": _made_by(),
        "detail": " ".join(filter(None, detail)),
        "reference": f"{SYSTEM}:standard:{gap['code']}",
    }
    if gap["severity"] in SEVERITY:
        made["severity"] = SEVERITY[gap["severity"]]
    if gap["evidence"]:
        made["evidence"] = [{"detail": [_row(row)]} for row in gap["evidence"]]
    return made


def _proposal(one: Assessed, kind: str, issue: Issue, status: str) -> JsonDict:
    """The fields that Task and ServiceRequest share: a proposal about a gap, which a person may accept."""
    gap = issue.gap
    reason = {"reference": f"DetectedIssue/{resource_id(gap['code'], one.patient_id)}"}
    return _about(one, kind, gap["code"]) | {
        "status": status,
        "intent": "proposal",
        "priority": "urgent" if gap["severity"] == "critical" else "routine",
        "authoredOn": one.run.published_at.isoformat(timespec="seconds"),
        "requester": _made_by(),
        "reasonReference": reason if kind == "Task" else [reason],
    }


def _task(one: Assessed, issue: Issue) -> JsonDict:
    gap = issue.gap
    status = TASK_STATUS.get(issue.status, "draft") if issue.status else "draft"
    made = _proposal(one, "Task", issue, status) | {
        "code": {"coding": [{"system": f"{SYSTEM}:care-gap", "code": gap["code"]}], "text": _said(gap)},
        "description": gap["action"],
        "for": subject(one.patient_id),
    }
    if gap["due_on"]:
        made["restriction"] = {"period": {"end": str(gap["due_on"])}}
    return made


def _service_request(one: Assessed, issue: Issue) -> JsonDict:
    gap = issue.gap
    code, words = TESTS_FOR[gap["code"]]
    status = {"accepted": "active", "completed": "completed", "rejected": "revoked"}
    made = _proposal(
        one,
        "ServiceRequest",
        issue,
        status.get(TASK_STATUS.get(issue.status, ""), "draft") if issue.status else "draft",
    )
    made |= {"code": {"text": words}, "subject": subject(one.patient_id)}
    if code:
        made["code"]["coding"] = [{"system": "http://snomed.info/sct", "code": code, "display": words}]
    if gap["due_on"]:
        made["occurrenceDateTime"] = str(gap["due_on"])
    return made
