"""Contacts, stays and referrals from Appointment, Encounter, EpisodeOfCare and ServiceRequest."""

from __future__ import annotations

import pytest

from tests.features.records.sources.fhir.resources import SNOMED, SUBJECT, UK_CORE, coded, fate, ingest, one, rows, to

ACTORS = [{"actor": SUBJECT}, {"actor": to("HealthcareService/T1")}, {"actor": to("Practitioner/S1")}]


def appointment(status="fulfilled", **fields):
    return one(
        "Appointment",
        "a1",
        status=status,
        start="2025-03-01T09:00:00Z",
        created="2025-02-01",
        participant=ACTORS,
        **fields,
    )


def encounter(name="e1", code="AMB", **fields):
    return {
        **one("Encounter", name, status="finished", subject=SUBJECT, period={"start": "2025-03-01T09:00:00Z"}),
        "class": {"code": code},
        **fields,
    }


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("booked", None, "planned"),
        ("arrived", None, "attended"),
        ("checked-in", None, "attended"),
        ("fulfilled", None, "attended"),
        ("noshow", None, "did_not_attend"),
        ("cancelled", "pat-cpp", "cancelled_by_patient"),
        ("cancelled", "prov-pers", "cancelled_by_service"),
        ("cancelled", "maint", "cancelled_by_service"),
        ("cancelled", None, "cancelled_by_service"),
    ],
)
def test_the_status_of_an_appointment_is_its_outcome(tmp_path, status, reason, outcome):
    why = {"cancelationReason": coded(("x", reason))} if reason else {}
    records, report = ingest(tmp_path / "in", appointment(status, **why))
    assert rows(records, "contacts", "outcome", "contact_on", "booked_on", "team_id", "staff_id") == [
        (outcome, "2025-03-01", "2025-02-01", "T1", "S1")
    ]
    assert any("without a known reason" in note for note in report["notes"]) == (status == "cancelled" and not reason)


@pytest.mark.parametrize("status", ["proposed", "pending", "waitlist", "entered-in-error"])
def test_what_was_not_booked_is_not_read(tmp_path, status):
    records, report = ingest(tmp_path / "in", appointment(status))
    assert len(records["contacts"]) == 0
    assert fate(report, "Appointment") == "not read: status"


def test_an_appointment_and_its_encounter_are_one_contact(tmp_path):
    channel = {"url": f"{UK_CORE}DeliveryChannel", "valueCodeableConcept": coded(("x", "Video"))}
    seen = encounter(appointment=[to("Appointment/a1")], extension=[channel])
    records, report = ingest(tmp_path / "in", appointment("booked"), seen)
    assert rows(records, "contacts", "contact_id", "mode", "outcome") == [("a1", "video", "attended")]
    assert fate(report, "Encounter") == "merged into its Appointment"


def test_an_encounter_alone_is_a_contact_and_a_cancelled_one_was_cancelled_by_the_service(tmp_path):
    gone = encounter("e2", status="cancelled", period={"start": "2025-03-02"})
    records, _ = ingest(tmp_path / "in", encounter(code="HH"), gone)
    assert rows(records, "contacts", "mode", "outcome") == [
        ("face_to_face", "attended"),
        ("face_to_face", "cancelled_by_service"),
    ]


def test_a_medication_review_is_named_by_its_code(tmp_path):
    records, _ = ingest(tmp_path / "in", encounter(type=[coded((SNOMED, "1239511000000100"))]))
    assert rows(records, "contacts", "kind") == [("medicines_review",)]


def test_a_role_gives_the_practitioner_and_the_team(tmp_path):
    role = one("PractitionerRole", "pr1", practitioner=to("Practitioner/S9"), organization=to("Organization/T9"))
    seen = encounter(participant=[{"individual": to("PractitionerRole/pr1")}])
    records, _ = ingest(tmp_path / "in", role, one("Organization", "T9", name="North CMHT"), seen)
    assert rows(records, "contacts", "team_id", "staff_id") == [("T9", "S9")]
    assert rows(records, "teams", "team_id", "name") == [("T9", "North CMHT")]


@pytest.mark.parametrize(
    ("method", "legal", "read"),
    [
        ("21", "02", ("emergency", "section_2")),
        ("11", "01", ("planned", "informal")),
        ("2B", "20", ("transfer", "section_136")),
        ("2D", "35", ("emergency", "informal")),
        ("98", "98", ("unknown", "unknown")),
    ],
)
def test_a_stay_reads_its_method_inside_hospitalization_and_its_nested_legal_status(tmp_path, method, legal, read):
    inside = [{"url": f"{UK_CORE}AdmissionMethod", "valueCodeableConcept": coded(("england", method))}]
    nested = [
        {"url": "legalStatusContext", "valueCodeableConcept": coded(("x", "admission"))},
        {"url": "legalStatusClassification", "valueCodeableConcept": coded(("x", legal))},
    ]
    stay = encounter(
        code="IMP",
        hospitalization={"extension": inside},
        extension=[{"url": f"{UK_CORE}LegalStatus", "extension": nested}],
        period={"start": "2025-03-01", "end": "2025-03-20"},
    )
    records, _ = ingest(tmp_path / "in", stay)
    assert rows(records, "stays", "admitted_on", "discharged_on", "method", "legal_status") == [
        ("2025-03-01", "2025-03-20", *read)
    ]


def episode(**fields):
    return one(
        "EpisodeOfCare", "r1", patient=SUBJECT, period={"start": "2025-01-01"}, team=[to("CareTeam/T1")], **fields
    )


def test_an_episode_is_a_referral_and_the_request_that_led_to_it_is_part_of_it(tmp_path):
    asked = one(
        "ServiceRequest", "q1", status="active", intent="order", subject=SUBJECT, authoredOn="2024-12-20",
        code=coded((SNOMED, "3457005")),
    )  # fmt: skip
    records, report = ingest(
        tmp_path / "in", asked, episode(status="active", referralRequest=[to("ServiceRequest/q1")])
    )
    assert rows(records, "referrals", "referral_id", "team_id", "opened_on", "closed_on") == [
        ("r1", "T1", "2025-01-01", "-")
    ]
    assert fate(report, "ServiceRequest") == "merged into EpisodeOfCare"


def test_a_closed_r4_episode_has_reason_other_and_the_report_names_the_consequence(tmp_path):
    over = {**episode(status="finished"), "period": {"start": "2025-01-01", "end": "2025-06-01"}}
    records, report = ingest(tmp_path / "in", over)
    assert rows(records, "referrals", "closed_on", "close_reason") == [("2025-06-01", "other")]
    assert any("disengagement by closure cannot be derived" in note for note in report["notes"])


def test_a_finished_episode_without_an_end_keeps_the_person_in_sight(tmp_path):
    records, report = ingest(tmp_path / "in", episode(status="finished"))
    assert rows(records, "referrals", "closed_on") == [("-",)]
    assert any("finished without an end" in note for note in report["notes"])


def test_a_restricted_record_is_left_out_and_counted(tmp_path):
    hidden = encounter(meta={"security": [{"system": "x", "code": "R"}]})
    records, report = ingest(tmp_path / "in", hidden)
    assert len(records["contacts"]) == 0
    assert fate(report, "Encounter") == "left out: restricted (meta.security)"
