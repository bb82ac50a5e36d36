"""Every route, every role, every scope. The table is the documentation; a route that is not in it fails the test."""

from __future__ import annotations

import ast
import re
import runpy
import secrets
from pathlib import Path

import pytest
from sqlalchemy import select

import serving
from serving.app import access_of, create_app
from serving.identity.callers import Caller, Role
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings, database_url_of
from serving.storage.database import Database, UnscopedQuery
from serving.storage.tables import people, scores
from serving.storage.visible import visible_people

ROLES = ("pharmacist", "cmht_system", "data_scientist", "auditor", "operator")
SCORE = {"people": [{"patient_id": "X1", "tables": {}}]}
REVIEW = {
    "actions": ["no_change_needed"],
    "medicines_reconciled": True,
    "allergies_up_to_date": True,
    "side_effects_assessed": True,
}
BODIES = {
    "/v1/scores": SCORE,
    "/v1/patients/S01/emergency-access": {"reason": "crisis_call"},
    "/v1/patients/N03/reviews": REVIEW,
    "/v1/patients/S02/reviews": REVIEW,
    "/v1/patients/N03/work": {"this_week": True},
    "/v1/patients/S02/work": {"this_week": True},
}

GAP_OF = "/v1/patients/{}/gaps/ALLERGY_NOT_RECORDED/status"
BODIES |= {GAP_OF.format(person): {"status": "open"} for person in ("N03", "S02")}

#   route                                   own team / allowed            other team   which roles
MATRIX = [
    ("POST", "/v1/scores", None, {"cmht_system"}),
    ("GET", "/v1/teams", None, {"pharmacist", "cmht_system"}),
    ("GET", "/v1/teams/north/worklist", "/v1/teams/south/worklist", {"pharmacist", "cmht_system"}),
    ("GET", "/v1/teams/north/overview", "/v1/teams/south/overview", {"pharmacist", "cmht_system"}),
    ("GET", "/v1/teams/north/worklist.csv", "/v1/teams/south/worklist.csv", {"pharmacist"}),
    ("GET", "/v1/patients/N03", "/v1/patients/S02", {"pharmacist", "cmht_system"}),
    ("GET", "/v1/patients/N03/reviews", "/v1/patients/S02/reviews", {"pharmacist", "cmht_system"}),
    ("POST", "/v1/patients/N03/reviews", "/v1/patients/S02/reviews", {"pharmacist", "cmht_system"}),
    ("POST", "/v1/patients/S01/emergency-access", None, {"pharmacist"}),
    ("GET", "/v1/patients/N03/gap-statuses", "/v1/patients/S02/gap-statuses", {"pharmacist", "cmht_system"}),
    ("GET", "/v1/patients/N03/work", "/v1/patients/S02/work", {"pharmacist", "cmht_system"}),
    ("POST", "/v1/patients/N03/work", "/v1/patients/S02/work", {"pharmacist", "cmht_system"}),
    ("POST", GAP_OF.format("N03"), GAP_OF.format("S02"), {"pharmacist", "cmht_system"}),
    ("GET", "/v1/audit/events", None, {"auditor"}),
    ("GET", "/v1/audit/emergency-access", None, {"auditor"}),
    ("GET", "/fhir/RiskAssessment?patient=N03", "/fhir/RiskAssessment?patient=S02", {"pharmacist", "cmht_system"}),
    ("GET", "/fhir/DetectedIssue?patient=N03", "/fhir/DetectedIssue?patient=S02", {"pharmacist", "cmht_system"}),
    ("GET", "/fhir/Task?patient=N03", "/fhir/Task?patient=S02", {"pharmacist", "cmht_system"}),
    ("GET", "/fhir/ServiceRequest?patient=N03", "/fhir/ServiceRequest?patient=S02", {"pharmacist", "cmht_system"}),
    ("GET", "/fhir/RiskAssessment/admission.N03", "/fhir/RiskAssessment/admission.S02", {"pharmacist", "cmht_system"}),
    *(
        ("GET", f"/fhir/{kind}/CLZ-FBC-OVERDUE.N00", f"/fhir/{kind}/CLZ-FBC-OVERDUE.S02", {"pharmacist", "cmht_system"})
        for kind in ("DetectedIssue", "Task", "ServiceRequest")
    ),
    ("GET", "/metrics", None, {"operator"}),
    ("GET", "/v1/model", None, set(ROLES)),
    ("GET", "/v1/model/card", None, set(ROLES)),
]
# Forms of the pages: signing out, and those that test_the_review_form_by_role_and_scope and test_audit_pages.py send.
FORMS = {
    "POST /sandbox",
    "POST /patients/{patient_id}/proposals",
    "POST /patients/{patient_id}/gaps/{code}/status",
    "POST /find",
    # tests/serving/web/lists/test_saved_filters.py
    "POST /saved-filters",
    "POST /saved-filters/delete",
    # tests/serving/messages/test_pages.py
    "POST /patients/{patient_id}/texts",
    "POST /teams/{team_id}/texts",
    "POST /texts/{reply_id}",
    "POST /patients/{patient_id}/work",
    "POST /sign-out",
    "POST /emergency-access",
    "POST /incidents",
    "POST /rating",  # tests/serving/auditing/test_case_ratings.py
    "POST /patients/{patient_id}/reviews",
    # tests/serving/web/test_review_pages.py and tests/serving/reviews/test_reviews.py: they name a review
    "POST /patients/{patient_id}/reviews/{review_id}/undo",
    "POST /patients/{patient_id}/reviews/draft/drop",
    "GET /patients/{patient_id}/reviews/{review_id}/edit",
    "POST /v1/patients/{patient_id}/reviews/{review_id}/undo",
}
OPEN = {
    "/livez",
    "/readyz",
    "/version",
    "/openapi.json",
    "/docs",
    "/fhir/metadata",
    "/sign-in",
    "/sign-in/with/{place}",
    "/sign-in/back",
    "/launch",
    "/launch/back",
    "/static",
}
# Called by systems that sign a token for each call: tests/serving/cds/test_trust.py.
LINES = {"POST /v1/scores/stream"}  # tests/serving/scoring/test_forms_of_answers.py
SIGNED = {
    "GET /cds-services",
    "POST /cds-services/upstream-patient-view",
    "POST /cds-services/upstream-order-select",
    "POST /cds-services/{service_id}/feedback",
    # Called by the provider of texts with its own token: tests/serving/messages/test_pages.py.
    "POST /messages/receipts",
    "POST /messages/replies",
    # Signed by NHS Notify: tests/serving/messages/test_nhs_notify.py.
    "POST /messages/nhs-notify",
}
PAGES = [
    ("/", None, set(ROLES)),
    ("/teams", None, {"pharmacist"}),
    ("/digest.json", None, {"pharmacist"}),
    ("/teams/north", "/teams/south", {"pharmacist"}),
    ("/teams/north/overview", "/teams/south/overview", {"pharmacist"}),
    ("/teams/north/worklist.csv", "/teams/south/worklist.csv", {"pharmacist"}),
    ("/model", None, set(ROLES)),
    ("/status", None, set(ROLES)),
    ("/patients/N03", "/patients/S02", {"pharmacist"}),
    ("/patients/N03/letter", "/patients/S02/letter", {"pharmacist"}),
    ("/patients/N03/letter.txt", "/patients/S02/letter.txt", {"pharmacist"}),
    ("/patients/N03/letter.pdf", "/patients/S02/letter.pdf", {"pharmacist"}),
    ("/patients/N03/conversation", "/patients/S02/conversation", {"pharmacist"}),
    ("/patients/N03/texts", "/patients/S02/texts", {"pharmacist"}),
    ("/teams/north/texts", "/teams/south/texts", {"pharmacist"}),
    ("/find", None, {"pharmacist"}),
    ("/registers/lithium", None, {"pharmacist"}),
    ("/registers/lithium.csv", None, {"pharmacist"}),
    ("/this-week", None, {"pharmacist"}),
    ("/digest", None, {"pharmacist"}),
    ("/help", None, set(ROLES)),
    ("/glossary", None, set(ROLES)),
    ("/patients/N03/proposals", "/patients/S02/proposals", {"pharmacist"}),
    ("/sandbox", None, {"pharmacist"}),
    ("/emergency-access", None, {"pharmacist"}),
    ("/rating", None, {"pharmacist"}),
    ("/monitoring", None, {"data_scientist", "operator"}),
    ("/incidents", None, {"pharmacist", "data_scientist", "auditor", "operator"}),
    ("/audit", None, {"auditor"}),
]


def matrix_lines():
    """Route by role by scope: own team / another team, as status codes."""
    lines = ["| route | " + " | ".join(ROLES) + " |", "| --- |" + " --- |" * len(ROLES)]
    rows = [*MATRIX, *(("GET", f"{path} (page)", other, allowed) for path, other, allowed in PAGES)]
    for method, path, other, allowed in rows:
        done = 201 if method == "POST" and path != "/v1/scores" else 200
        cells = [(f"{done} / 404" if other else str(done)) if role in allowed else "403" for role in ROLES]
        if "(page)" in path:
            cells[ROLES.index("cmht_system")] = "-"
        lines.append(f"| {method} {path} | " + " | ".join(cells) + " |")
    return lines


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path", "other", "allowed"), MATRIX, ids=[f"{row[0]} {row[1]}" for row in MATRIX])
def test_json_route_by_role_and_scope(client, as_role, role, method, path, other, allowed):
    def ask(address):
        headers = as_role(role) | {"Idempotency-Key": secrets.token_hex(8)}
        return client.request(
            method, address, headers=headers, json=BODIES[address] if method == "POST" else None
        ).status_code

    done = 201 if method == "POST" and path != "/v1/scores" else 200
    assert ask(path) == (done if role in allowed else 403)
    if other:
        assert ask(other) == (404 if role in allowed else 403)


@pytest.mark.parametrize(("method", "path", "other", "allowed"), MATRIX, ids=[f"{row[0]} {row[1]}" for row in MATRIX])
def test_json_route_without_a_token_or_with_a_dead_one(client, shared_home, method, path, other, allowed):
    short = issue_token(shared_home, "cmht_system", None, "gone", days=1e-9)
    for headers in (
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic eDp5"},
        {"Authorization": f"Bearer {short}"},
    ):
        answer = client.request(method, path, headers=headers, json=BODIES[path] if method == "POST" else None)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("path", "other", "allowed"), PAGES, ids=[row[0] for row in PAGES])
@pytest.mark.parametrize("choice", ["pharmacist:north", "data_scientist", "auditor", "operator"])
def test_page_by_role_and_scope(browser, path, other, allowed, choice):
    signed_in = browser(choice)
    role = choice.split(":")[0]
    assert signed_in.get(path).status_code == (200 if role in allowed else 403)
    if other:
        assert signed_in.get(other).status_code == (404 if role in allowed else 403)


@pytest.mark.parametrize("choice", ["pharmacist:north", "data_scientist", "auditor", "operator"])
def test_the_review_form_by_role_and_scope(browser, choice):
    signed_in = browser(choice)
    proof = re.search(r'name="proof" value="([^"]+)"', signed_in.get("/").text)[1]
    form = {name: "yes" for name in REVIEW if name != "actions"} | {"actions": "gp_informed", "key": f"{choice}-1234"}
    sees = choice.startswith("pharmacist")
    assert signed_in.post("/patients/N03/reviews", data=form | {"proof": "forged"}).status_code == 403
    assert signed_in.post("/patients/N03/reviews", data=form | {"proof": proof}).status_code == (303 if sees else 403)
    assert signed_in.post("/patients/S02/reviews", data=form | {"proof": proof}).status_code == (404 if sees else 403)


def asked():
    """What the printed matrix asks: JSON routes, pages, bodies."""
    return [row[:3] for row in MATRIX], [row[:2] for row in PAGES], BODIES


def test_the_matrix_is_printed_by_a_command(capsys):
    """``python -m tests.serving.matrix``, as docs/security.md names it, prints it for a reviewer: from answers, and not
    from the table above."""
    runpy.run_module("tests.serving.matrix", run_name="__main__")
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")] == matrix_lines()


def test_page_without_a_session_leads_to_sign_in(client):
    client.cookies.clear()
    for path in ("/", "/teams/north", "/patients/N03"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_a_bearer_token_opens_no_page_and_a_session_opens_no_json(browser, as_role):
    signed_in = browser("pharmacist:north")
    assert signed_in.get("/v1/teams").status_code == 401
    signed_in.cookies.clear()
    assert signed_in.get("/", headers=as_role("pharmacist")).status_code == 303


def test_every_route_is_in_the_matrix(made_home):
    app = create_app(ServiceSettings(home=made_home))
    listed = {f"{row[0]} {row[1].partition('?')[0]}" for row in MATRIX} | {f"GET {row[0]}" for row in PAGES}
    for route, roles in access_of(app).items():
        method, path = route.split(" ")
        whom = "S01" if path.endswith("emergency-access") else "N03"
        concrete = path
        resource = "admission.N03" if "RiskAssessment" in path else "CLZ-FBC-OVERDUE.N00"
        known = {"team_id": "north", "patient_id": whom, "code": "ALLERGY_NOT_RECORDED", "resource_id": resource}
        known["register"] = "lithium"
        for name, value in known.items():
            concrete = concrete.replace(f"{{{name}}}", value)
        assert roles is not None, f"{route} declares no role"
        covered = path in OPEN or route in FORMS | SIGNED | LINES or f"{method} {concrete}" in listed
        assert covered, f"{route} is missing from the matrix"


def test_a_route_without_a_declared_role_cannot_be_mounted(made_home, monkeypatch):
    from fastapi import APIRouter

    import serving.app as module

    rogue = APIRouter()
    rogue.add_api_route("/v1/rogue", lambda: {})
    monkeypatch.setattr(module, "people", rogue)
    monkeypatch.setattr(module, "_routes", module._routes.__wrapped__)  # put together again, not those of before
    with pytest.raises(RuntimeError, match="/v1/rogue"):
        create_app(ServiceSettings(home=made_home))


def test_a_person_of_another_team_looks_like_an_unknown_one(client, as_role):
    theirs = client.get("/v1/patients/S02", headers=as_role("pharmacist")).json()
    nobodys = client.get("/v1/patients/NOBODY", headers=as_role("pharmacist")).json()
    assert {**theirs, "request_id": ""} == {**nobodys, "request_id": ""}


def test_lists_hold_only_the_callers_people(client, as_role):
    assert [team["team_id"] for team in client.get("/v1/teams", headers=as_role("pharmacist")).json()["items"]] == [
        "north"
    ]
    assert client.get("/v1/teams", headers=as_role("everywhere")).json()["total"] == 2
    listed = client.get("/v1/teams/north/worklist", headers=as_role("everywhere")).json()["items"]
    assert {entry["patient_id"] for entry in listed} == {f"N{i:02d}" for i in range(8)}


def test_scopes_that_a_role_cannot_have(home):
    for role, teams in (("pharmacist", None), ("data_scientist", ["north"]), ("auditor", ["north"])):
        with pytest.raises(ValueError, match=role):
            issue_token(home, role, teams)


# The choke point


def test_a_query_over_people_that_skips_the_choke_point_is_refused(database: Database):
    caller = Caller("t", Role.PHARMACIST, frozenset({"north"}))
    visible = visible_people(caller)
    with database.read() as connection:
        for bypass in (select(people), select(scores.c.probability), select(select(people.c.patient_id).subquery())):
            with pytest.raises(UnscopedQuery):
                connection.execute(bypass)
        assert (
            len(connection.execute(select(people).join(visible, visible.c.patient_id == people.c.patient_id)).all())
            == 8
        )


def test_a_role_that_sees_no_people_gets_none_even_with_teams(made_home):
    opened = Database(database_url_of(made_home))
    with opened.read() as connection:
        for role in (Role.DATA_SCIENTIST, Role.AUDITOR, Role.OPERATOR):
            assert connection.execute(select(visible_people(Caller("t", role, frozenset({"north"}))))).all() == []
    opened.close()


def test_person_tables_are_only_read_in_repositories_and_only_scoped():
    """A house rule as a check: only repositories name a person table, and every function there takes the caller's
    view."""
    root = Path(serving.__file__).parent
    person_tables = {"people", "scores", "gaps", "reviews", "timelines", "person_groups", "drafts", "work_items"}
    person_tables |= {"person_explanations", "score_explanations"}
    # The staging of a run, and its rows while they are written, are read by that run alone, before anybody can see
    # them; the verifier of the log compares reviews with their events and hands out none. Explanations gives columns
    # and a condition to queries of repositories, and takes those of an old run away.
    allowed = {
        "storage/tables.py",
        "storage/visible.py",
        "storage/explanations.py",
        "runs/repository.py",
        "nightly/staging.py",
        "nightly/rows_of_run.py",
        "auditlog/linked.py",
        # Verbs of the command line, each in the job's own transaction, written to the log, never for a caller.
        "data_rights/repository.py",
        "nightly/rows/exposure_rows.py",
        "nightly/rows/impact_rows.py",
        "nightly/rows/month_rows.py",
    }
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        tree = ast.parse(file.read_text())
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "serving.storage.tables"
            for alias in node.names
        }
        if name in allowed or not imported & person_tables:
            continue
        assert name.endswith("/repository.py"), f"{name} queries people outside a repository"
        for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
            used = {
                node.value.id
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            }
            names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            if used & person_tables & imported:
                assert names & {"visible_people", "visible"}, (
                    f"{name}: {function.name} reads people without visible_people"
                )
