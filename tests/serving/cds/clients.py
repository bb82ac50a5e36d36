"""A system that asks for decision support: its key, its settings, and the tokens that it signs."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://epr.example/cds"
BASE = "http://127.0.0.1"
KEY = ECKey.generate_key("P-384", {"kid": "k1", "alg": "ES384", "use": "sig"})
OTHER_KEY = ECKey.generate_key("P-384", {"kid": "k1", "alg": "ES384", "use": "sig"})


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """One trusted client of the north team, as UPSTREAM_CDS has it."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    return {"issuer": ISSUER, "jwks_file": str(keys), "teams": ["north"], **changes}


def token(path: str, *, key: Any = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token for one address. ``claims`` replace those of a good one; None leaves one out, and a function is given the
    second in which the token is made."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": BASE + path, "iat": now, "exp": now + 300, "jti": uuid.uuid4().hex}
    made = {name: value(now) if callable(value) else value for name, value in {**good, **claims}.items()}
    said = {name: value for name, value in made.items() if value is not None}
    return jwt.encode({"alg": "ES384", "kid": "k1", "typ": "JWT", **(header or {})}, said, key, algorithms=["ES384"])


def bearer(path: str, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(path, **changes)}"}


def hook(name: str, patient: str = "N00", **changes: Any) -> dict[str, Any]:
    """A request of a hook as a client sends it."""
    context = {"userId": "Practitioner/1", "patientId": patient, **changes.pop("context", {})}
    return {"hook": name, "hookInstance": str(uuid.uuid4()), "context": context, **changes}
