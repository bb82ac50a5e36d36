"""A real OpenID Connect provider (oauth2-mock-server from npm) as a process on loopback, asked one thing at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.settings import OidcIssuer

PROVIDER = Path(__file__).parents[2] / ".tools/oidc/node_modules/oauth2-mock-server/dist/index.mjs"
ROLES = {"R8000": "pharmacist", "R9000": "auditor"}


class Provider:
    """The provider's process, asked one thing at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = self._answer()

    def ask(self, do: str, **more: object):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def token(self, kid: str = "first", header: dict | None = None, **claims: object) -> str:
        usual = {"sub": "sam", "aud": "upstream", "role": "R8000", "nbf": int(time.time()) - 5}
        return self.ask("token", kid=kid, header=header or {}, claims=usual | claims)

    def _answer(self):
        line = self.process.stdout.readline()
        assert line, "the identity provider stopped"
        return json.loads(line)


@contextmanager
def running() -> Iterator[Provider]:
    """The provider while the block lasts; skips where it is not installed."""
    if not PROVIDER.is_file() or shutil.which("node") is None:
        pytest.skip("no identity provider for tests (make oidc)")
    script = Path(__file__).with_name("oidc_provider.mjs")
    with subprocess.Popen(
        ["node", str(script), str(PROVIDER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Provider(process)
        finally:
            process.kill()


def trusted(url: str, **changes: object) -> OidcIssuer:
    """The settings that trust the provider at ``url``."""
    given = {"issuer": url, "audience": "upstream", "jwks_url": f"{url}/jwks", "roles": ROLES}
    return OidcIssuer(**(given | changes))
