"""One method for each operation. Written by ``serving.write_client``: change nothing here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast
from urllib.parse import quote

from serving.client import shapes
from serving.client.connection import Connection


class Upstream(Connection):
    """The interface of one service. Every method raises ``CallRefused`` where the service refuses, and ``Unreachable``
    where it does not answer."""

    def cds_services(self) -> shapes.CdsServices:
        """The CDS Hooks services, and the prefetch data that each needs."""
        return cast("shapes.CdsServices", self._json("GET", "/cds-services"))

    def order_select(self, body: shapes.OrderSelect) -> shapes.HookCards:
        """Cards about the selected medicine, from rules only. No data of the request is stored."""
        return cast("shapes.HookCards", self._json("POST", "/cds-services/upstream-order-select", None, body))

    def patient_view(self, body: shapes.PatientView) -> shapes.HookCards:
        """Cards about the person whose record is opened, from the published list."""
        return cast("shapes.HookCards", self._json("POST", "/cds-services/upstream-patient-view", None, body))

    def card_feedback(self, service_id: str, body: shapes.CardFeedback) -> shapes.FeedbackTaken:
        """Feedback about cards. A repeated entry counts once; free text is counted and not stored."""
        return cast(
            "shapes.FeedbackTaken",
            self._json("POST", f"/cds-services/{quote(service_id, safe='')}/feedback", None, body),
        )

    def fhir_detected_issues(self, *, patient: str | None = None, subject: str | None = None) -> dict[str, Any]:
        """Every DetectedIssue of one person, from the published list."""
        return cast(
            "dict[str, Any]", self._json("GET", "/fhir/DetectedIssue", {"patient": patient, "subject": subject})
        )

    def fhir_detected_issue(self, resource_id: str) -> dict[str, Any]:
        """One DetectedIssue by its id."""
        return cast("dict[str, Any]", self._json("GET", f"/fhir/DetectedIssue/{quote(resource_id, safe='')}"))

    def fhir_risk_assessments(self, *, patient: str | None = None, subject: str | None = None) -> dict[str, Any]:
        """Every RiskAssessment of one person, from the published list."""
        return cast(
            "dict[str, Any]", self._json("GET", "/fhir/RiskAssessment", {"patient": patient, "subject": subject})
        )

    def fhir_risk_assessment(self, resource_id: str) -> dict[str, Any]:
        """One RiskAssessment by its id."""
        return cast("dict[str, Any]", self._json("GET", f"/fhir/RiskAssessment/{quote(resource_id, safe='')}"))

    def fhir_service_requests(self, *, patient: str | None = None, subject: str | None = None) -> dict[str, Any]:
        """Every ServiceRequest of one person, from the published list."""
        return cast(
            "dict[str, Any]", self._json("GET", "/fhir/ServiceRequest", {"patient": patient, "subject": subject})
        )

    def fhir_service_request(self, resource_id: str) -> dict[str, Any]:
        """One ServiceRequest by its id."""
        return cast("dict[str, Any]", self._json("GET", f"/fhir/ServiceRequest/{quote(resource_id, safe='')}"))

    def fhir_tasks(self, *, patient: str | None = None, subject: str | None = None) -> dict[str, Any]:
        """Every Task of one person, from the published list."""
        return cast("dict[str, Any]", self._json("GET", "/fhir/Task", {"patient": patient, "subject": subject}))

    def fhir_task(self, resource_id: str) -> dict[str, Any]:
        """One Task by its id."""
        return cast("dict[str, Any]", self._json("GET", f"/fhir/Task/{quote(resource_id, safe='')}"))

    def fhir_metadata(self) -> dict[str, Any]:
        """The capability statement of this FHIR server."""
        return cast("dict[str, Any]", self._json("GET", "/fhir/metadata"))

    def livez(self) -> shapes.Alive:
        """Always answers while the event loop runs."""
        return cast("shapes.Alive", self._json("GET", "/livez"))

    def take_from_nhs_notify(self) -> None:
        """Statuses of messages, as NHS Notify signs them. 403 if the signature does not match the body, 422 for a
        body that is not one of its callbacks."""
        self._json("POST", "/messages/nhs-notify")

    def take_receipt(self, body: shapes.TextReceipt) -> None:
        """A receipt: the delivery status of a text. The number in it is not stored."""
        self._json("POST", "/messages/receipts", None, body)

    def take_reply(self, body: shapes.TextReply) -> None:
        """A reply. 204 only once it is stored; the provider sends it again otherwise. Alerts and the automatic
        answer are sent outside the request."""
        self._json("POST", "/messages/replies", None, body)

    def metrics(self) -> str:
        """Numbers for a monitoring system in Prometheus' text format: latency, refusals, people scored, lists, ages
        of data, drift."""
        return self._text("GET", "/metrics")

    def readyz(self) -> shapes.Ready:
        """Whether this process can take requests; 503 with reasons if not."""
        return cast("shapes.Ready", self._json("GET", "/readyz"))

    def emergency_accesses(self, *, limit: int | None = None) -> shapes.Emergencies:
        """Lists who opened whom beyond their team, why and until when."""
        return cast("shapes.Emergencies", self._json("GET", "/v1/audit/emergency-access", {"limit": limit}))

    def audit_events(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        patient_id: str | None = None,
        on: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> shapes.AuditEvents:
        """Lists who saw whom, when, why and with which model, newest first. Reading the log is itself recorded in
        it."""
        return cast(
            "shapes.AuditEvents",
            self._json(
                "GET",
                "/v1/audit/events",
                {
                    "actor": actor,
                    "action": action,
                    "patient_id": patient_id,
                    "on": on,
                    "before": before,
                    "limit": limit,
                },
            ),
        )

    def model(self) -> shapes.ModelInfo:
        """The model that scores requests now."""
        return cast("shapes.ModelInfo", self._json("GET", "/v1/model"))

    def model_card(self) -> shapes.ModelCard:
        """What the model was trained on, how well it did, and what it is not for."""
        return cast("shapes.ModelCard", self._json("GET", "/v1/model/card"))

    def person(self, patient_id: str) -> shapes.Person:
        """One person: current risks with all their parts, trend, reasons, care gaps and reviews."""
        return cast("shapes.Person", self._json("GET", f"/v1/patients/{quote(patient_id, safe='')}"))

    def open_in_emergency(self, patient_id: str, body: shapes.EmergencyIn) -> shapes.Emergency:
        """Open one person of another team for an hour, with a reason. The auditor sees it at once."""
        return cast(
            "shapes.Emergency",
            self._json("POST", f"/v1/patients/{quote(patient_id, safe='')}/emergency-access", None, body),
        )

    def gap_statuses(self, patient_id: str) -> shapes.GapStatuses:
        """Every status of a person's gaps, newest first."""
        return cast("shapes.GapStatuses", self._json("GET", f"/v1/patients/{quote(patient_id, safe='')}/gap-statuses"))

    def set_gap_status(self, patient_id: str, code: str, body: shapes.StatusIn) -> shapes.GapStatus:
        """Say that somebody is on a gap, that it is booked, does not apply or is done; or take that back."""
        return cast(
            "shapes.GapStatus",
            self._json(
                "POST", f"/v1/patients/{quote(patient_id, safe='')}/gaps/{quote(code, safe='')}/status", None, body
            ),
        )

    def reviews(self, patient_id: str) -> shapes.Reviews:
        """Every version of every review of a person, newest first."""
        return cast("shapes.Reviews", self._json("GET", f"/v1/patients/{quote(patient_id, safe='')}/reviews"))

    def record_review(
        self, patient_id: str, body: shapes.ReviewIn, *, idempotency_key: str | None = None
    ) -> shapes.Review:
        """Record what a review did. To correct one, send the whole review again with ``replaces``; both versions
        are kept."""
        return cast(
            "shapes.Review",
            self._json(
                "POST",
                f"/v1/patients/{quote(patient_id, safe='')}/reviews",
                None,
                body,
                {"Idempotency-Key": idempotency_key},
            ),
        )

    def undo_review(self, patient_id: str, review_id: str) -> shapes.Review:
        """Take a review back. It counts for nothing from now on, and stays in the history; a repeat is harmless."""
        return cast(
            "shapes.Review",
            self._json("POST", f"/v1/patients/{quote(patient_id, safe='')}/reviews/{quote(review_id, safe='')}/undo"),
        )

    def work(self, patient_id: str) -> shapes.Work:
        """Who of the team has a person, what to know, and which colleagues could have them."""
        return cast("shapes.Work", self._json("GET", f"/v1/patients/{quote(patient_id, safe='')}/work"))

    def set_work(self, patient_id: str, body: shapes.WorkIn) -> shapes.WorkItem:
        """Give a person to a colleague of their team, hand them over, or mark them for this week. The newest word
        counts; earlier ones stay."""
        return cast(
            "shapes.WorkItem", self._json("POST", f"/v1/patients/{quote(patient_id, safe='')}/work", None, body)
        )

    def score(
        self, body: shapes.ScoresRequest, *, contributions: Literal["none", "concepts", "features"] | None = None
    ) -> shapes.ScoresAnswer:
        """Score people from the histories in the request: risks with all their parts, reasons, care gaps, flags."""
        return cast("shapes.ScoresAnswer", self._json("POST", "/v1/scores", {"contributions": contributions}, body))

    def score_stream(
        self,
        bodies: Iterable[shapes.PersonIn],
        *,
        as_of: str | None = None,
        contributions: Literal["none", "concepts", "features"] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Score any number of people: one a line in, one a line out, in the same order. Read while you send."""
        return self._lines("POST", "/v1/scores/stream", {"as_of": as_of, "contributions": contributions}, bodies)

    def teams(self, *, limit: int | None = None, offset: int | None = None) -> shapes.Teams:
        """The teams this caller may see."""
        return cast("shapes.Teams", self._json("GET", "/v1/teams", {"limit": limit, "offset": offset}))

    def team_overview(self, team_id: str) -> shapes.TeamOverview:
        """A team as a whole: changes of its list, overdue or missing care by kind, reviews against capacity, who is
        unseen for longest, how fresh each source is, and which groups places and reviews reach."""
        return cast("shapes.TeamOverview", self._json("GET", f"/v1/teams/{quote(team_id, safe='')}/overview"))

    def worklist(
        self,
        team_id: str,
        *,
        outcome: str | None = None,
        horizon: int | None = None,
        ranking: Literal["risk", "gaps", "blended"] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        gap: str | None = None,
        reason: str | None = None,
        medicine: str | None = None,
        reviewed: Literal["never", "7", "28", "not-28"] | str | None = None,
        work: Literal["mine", "this_week", "nobody"] | str | None = None,
    ) -> shapes.Worklist:
        """Everybody on a team's caseload, ranked. Capacity draws a line and drops nobody. Filters hide rows; ranks
        do not change."""
        return cast(
            "shapes.Worklist",
            self._json(
                "GET",
                f"/v1/teams/{quote(team_id, safe='')}/worklist",
                {
                    "outcome": outcome,
                    "horizon": horizon,
                    "ranking": ranking,
                    "limit": limit,
                    "offset": offset,
                    "gap": gap,
                    "reason": reason,
                    "medicine": medicine,
                    "reviewed": reviewed,
                    "work": work,
                },
            ),
        )

    def worklist_csv(
        self,
        team_id: str,
        *,
        outcome: str | None = None,
        horizon: int | None = None,
        ranking: Literal["risk", "gaps", "blended"] | None = None,
        gap: str | None = None,
        reason: str | None = None,
        medicine: str | None = None,
        reviewed: Literal["never", "7", "28", "not-28"] | str | None = None,
        work: Literal["mine", "this_week", "nobody"] | str | None = None,
    ) -> str:
        """The whole list as a file, for the team lead. Everybody on it is named in the audit log."""
        return self._text(
            "GET",
            f"/v1/teams/{quote(team_id, safe='')}/worklist.csv",
            {
                "outcome": outcome,
                "horizon": horizon,
                "ranking": ranking,
                "gap": gap,
                "reason": reason,
                "medicine": medicine,
                "reviewed": reviewed,
                "work": work,
            },
        )

    def version(self) -> shapes.ServiceVersion:
        """The versions of the code, the interface and the model that serves."""
        return cast("shapes.ServiceVersion", self._json("GET", "/version"))
