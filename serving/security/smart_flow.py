"""SMART App Launch 2: a records system opens Upstream with a person in view. It says who looks and at whom; what they
may see is ours to say.

Nothing is fetched from an address that the settings do not name. Where the record's own addresses come from
(``.well-known/smart-configuration``) is read afresh each time, over the same line as keys are. The ID token passes the
checks of every sign-in: pinned issuer, keys and algorithms, our client id as the audience, our nonce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from features.records.reading.nhs_numbers import NhsKey, NotAnNhsNumber, checked
from features.records.sources.fhir.references import NHS_NUMBER
from serving.http.problems import Problem, unavailable
from serving.identity.ids import local_id
from serving.safe_addresses import over_a_safe_line
from serving.security.code_flow import Begun, keep, no_outage, open_for, refused, take_up
from serving.security.oidc import FETCH_SECONDS, Issuers, KeysUnavailable, Refused, fetch_json, identity_unavailable
from serving.settings import SmartRecord
from serving.storage.database import Database

BACK = "/launch/back"
_UNDER_WAY = "smart:"
"""Marks a sign-in under way as one from a records system."""


@dataclass(frozen=True)
class Launched:
    """A session of the user, and the person in view by our id; None where the record named nobody."""

    secret: str
    patient_id: str | None


def begin(database: Database, records: Sequence[SmartRecord], public_url: str, iss: str, launch: str | None) -> Begun:
    """Start a launch. Without ``launch`` the record asks its user for a person. 400 for a record system that is not
    configured, before anything is fetched; 503 for one that does not answer.
    """
    record = _record(records, iss)
    found = _configuration(record)
    started = keep(database, _UNDER_WAY + record.iss)
    asked = {"aud": record.iss, "nonce": started.nonce, **({"launch": launch} if launch else {})}
    scope = f"{'launch' if launch else 'launch/patient'} openid fhirUser patient/Patient.r"
    with _client(record, public_url, scope) as client:
        address, _ = client.create_authorization_url(
            found["authorization_endpoint"], state=started.state, code_verifier=started.verifier, **asked
        )
    return Begun(address, started.browser)


def finish(
    database: Database,
    issuers: Issuers,
    records: Sequence[SmartRecord],
    public_url: str,
    request_id: str,
    key: NhsKey | None,
    *,
    state: str,
    code: str,
    browser: str,
) -> Launched:
    """Turn the record's answer into a session of its user, with the person in view.

    Raises ``Problem`` 400 for an answer that belongs to no launch of this browser, 403 for one that does not hold, 503
    for a record that does not answer; ``NoRole`` for somebody without a role here.
    """
    row = take_up(database, state, browser)
    record = _record(records, row.issuer.removeprefix(_UNDER_WAY) if row.issuer.startswith(_UNDER_WAY) else "")
    if not code:
        raise refused()
    answer = _token(record, public_url, code, row)
    issuer = issuers.trusts(record.issuer)
    try:
        vouching, claims = issuers.verified(str(answer.get("id_token", "")), audience=record.client_id, nonce=row.nonce)
    except Refused:
        raise refused() from None
    except KeysUnavailable:
        raise identity_unavailable() from None
    if issuer is None or vouching is not issuer or claims.get("azp", record.client_id) != record.client_id:
        raise refused()
    patient = _patient(record, answer, key)
    return Launched(open_for(database, issuer, claims, request_id, record.label), patient)


def _record(records: Sequence[SmartRecord], iss: str) -> SmartRecord:
    found = next((record for record in records if record.iss == iss.rstrip("/")), None)
    if found is None:
        raise Problem(400, "unknown-record", "Upstream is not set up to be opened from this records system.")
    return found


def _configuration(record: SmartRecord) -> dict[str, Any]:
    """The record's addresses. They must be reached over a safe line, and it must do PKCE with S256."""
    try:
        found = fetch_json(f"{record.iss}/.well-known/smart-configuration", {"Accept": "application/json"})
        for name in ("authorization_endpoint", "token_endpoint"):
            over_a_safe_line(str(found[name]))
    except (KeysUnavailable, KeyError, ValueError):
        raise record_unavailable() from None
    methods = found.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        raise record_unavailable()
    return found


def _token(record: SmartRecord, public_url: str, code: str, row: Row[Any]) -> dict[str, Any]:
    found = _configuration(record)
    try:
        with _client(record, public_url, "") as client:
            answer = client.fetch_token(
                found["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=row.verifier
            )
    except AuthlibBaseError:
        raise refused() from None
    except (httpx2.HTTPError, ValueError):
        raise record_unavailable() from None
    return dict(answer)


def _patient(record: SmartRecord, answer: dict[str, Any], key: NhsKey | None) -> str | None:
    """The person in view by our id. None where the record names none, or one whom we cannot know."""
    patient = answer.get("patient")
    if not isinstance(patient, str) or not 0 < len(patient) <= 200:
        return None
    if record.patients == "id":
        try:
            return local_id(patient)
        except PydanticCustomError:
            return None
    headers = {"Authorization": f"Bearer {answer.get('access_token', '')}", "Accept": "application/fhir+json"}
    try:
        found = fetch_json(f"{record.iss}/Patient/{quote(patient, safe='')}", headers)
    except KeysUnavailable:
        raise record_unavailable() from None
    number = nhs_number_of(found)
    return key.pseudonym(number) if key is not None and number is not None else None


def nhs_number_of(patient: dict[str, Any]) -> str | None:
    """The NHS number of a Patient; None where it has none, an invalid one, or several."""
    found = set()
    identifiers = patient.get("identifier")
    for one in identifiers if isinstance(identifiers, list) else ():
        if isinstance(one, dict) and one.get("system") == NHS_NUMBER and isinstance(one.get("value"), str):
            try:
                found.add(checked(one["value"]))
            except NotAnNhsNumber:
                continue
    return found.pop() if len(found) == 1 else None


def _client(record: SmartRecord, public_url: str, scope: str) -> OAuth2Client:
    secret = record.client_secret.get_secret_value() if record.client_secret else None
    client = OAuth2Client(
        record.client_id,
        secret,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=scope,
        redirect_uri=public_url + BACK,
        code_challenge_method="S256",
        timeout=FETCH_SECONDS,
        follow_redirects=False,
    )
    client.register_compliance_hook("access_token_response", no_outage)
    return client


def record_unavailable() -> Problem:
    return unavailable("record-unavailable", "The records system does not answer as it should. Try again soon.", 30)
