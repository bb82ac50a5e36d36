"""One home folder for the whole run, made once; tests that change it get a copy of their own."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from starlette.exceptions import StarletteDeprecationWarning

from models import risk_model
from serving.app import create_app
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings, database_url_of
from serving.storage.database import Database
from tests.conftest import once
from tests.serving import world as _world
from tests.serving.storage.databases import empty_url, postgresql  # noqa: F401

with warnings.catch_warnings():
    # Starlette asks for httpx2; it still speaks httpx, which the other tests use.
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from starlette.testclient import TestClient

ROLES = {"pharmacist": ["north"], "cmht_system": ["north"], "data_scientist": None, "auditor": None, "operator": None}


explainer_of = lru_cache(maxsize=8)(risk_model.TreeShapley)


@pytest.fixture(autouse=True)
def explainers() -> Iterator[None]:
    """Each start of a service reads and verifies its bundle, and tests start a thousand. Tables of trees are made once
    for each text of a booster: they never change, and tests/models looks at their making."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(risk_model, "TreeShapley", explainer_of)
        yield


@pytest.fixture(scope="session")
def world():
    """The module with the made-up trust."""
    return _world


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once for all workers of a run, and never changed by a test."""
    return once(tmp_path_factory, "made_home", _world.make_home)


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made_home, tmp_path / "home"))


@pytest.fixture(scope="session")
def shared_home(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose database gathers tokens and audit events of the tests that only look."""
    return Path(shutil.copytree(made_home, tmp_path_factory.mktemp("shared") / "home"))


def client_of(home: Path, **changes: object) -> TestClient:
    """A client on this machine; use it as a context, so that the service starts and stops. Tests ask fast: no share
    unless they name one."""
    shares = dict.fromkeys(("rate_per_minute", "system_rate_per_minute", "stranger_rate_per_minute"), 10_000_000)
    settings = ServiceSettings(**{"home": home, "environment": "demo", **shares, **changes})  # type: ignore[arg-type]
    return TestClient(
        create_app(settings),
        base_url="http://127.0.0.1",
        client=("127.0.0.1", 50000),
        follow_redirects=False,
        raise_server_exceptions=False,
    )


@pytest.fixture
def start() -> Callable[..., TestClient]:
    return client_of


@pytest.fixture(scope="session")
def start_at() -> Callable[..., TestClient]:
    """``start`` for fixtures that live longer than a test."""
    return client_of


@pytest.fixture(scope="session")
def client(shared_home: Path) -> Iterator[TestClient]:
    with client_of(shared_home) as opened:
        yield opened


@pytest.fixture(scope="session")
def tokens(shared_home: Path) -> dict[str, str]:
    """A bearer token of each role; those that see people see the north team only, which the pharmacist leads.
    ``everywhere`` is a system of all teams."""
    made = {
        role: issue_token(shared_home, role, teams, "test", lead=role == "pharmacist") for role, teams in ROLES.items()
    }
    return made | {"everywhere": issue_token(shared_home, "cmht_system", None, "test")}


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    opened = Database(database_url_of(home))
    yield opened
    opened.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def as_role(tokens: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """Headers of a role."""
    return lambda role: bearer(tokens[role])


def sign_in(client: TestClient, choice: str) -> None:
    answer = client.post("/sign-in", data={"choice": choice})
    assert answer.status_code == 303, answer.text


@pytest.fixture
def browser(shared_home: Path, client: TestClient) -> Callable[[str], TestClient]:
    """A browser of the demo that signed in with a choice."""

    def signed_in(choice: str) -> TestClient:
        client.cookies.clear()
        sign_in(client, choice)
        return client

    yield signed_in
    client.cookies.clear()
