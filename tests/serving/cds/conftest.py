"""A running service that trusts one system, and a way to call it with a fresh token each time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.cds.catalogue import ORDER_SELECT, PATIENT_VIEW
from serving.settings import database_url_of
from serving.storage.database import Database
from tests.serving.cds import clients

VIEW, SELECT = f"/cds-services/{PATIENT_VIEW}", f"/cds-services/{ORDER_SELECT}"


@pytest.fixture(scope="module")
def trusted_home(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for the tests of one module, which the service of ``trusting`` serves."""
    return Path(shutil.copytree(made_home, tmp_path_factory.mktemp("trusted") / "home"))


@pytest.fixture(scope="module")
def trusting(trusted_home: Path, start_at: Callable[..., Any], tmp_path_factory: Any) -> Iterator[Any]:
    with start_at(trusted_home, cds=[clients.settings(tmp_path_factory.mktemp("keys"))]) as opened:
        yield opened


@pytest.fixture
def database(trusted_home: Path) -> Iterator[Database]:
    opened = Database(database_url_of(trusted_home))
    yield opened
    opened.close()


@pytest.fixture
def call(trusting: Any) -> Callable[..., Any]:
    """POST a body to an address with a token for it."""
    return lambda path, body, **changes: trusting.post(path, json=body, headers=clients.bearer(path, **changes))


@pytest.fixture
def view(call: Callable[..., Any]) -> Callable[..., list[dict[str, Any]]]:
    """Cards of patient-view about a person."""

    def asked(patient: str = "N00", **changes: Any) -> list[dict[str, Any]]:
        answer = call(VIEW, clients.hook("patient-view", patient, **changes))
        assert answer.status_code == 200, answer.text
        return answer.json()["cards"]

    return asked
