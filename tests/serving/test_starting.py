"""Starting, swapping models, and failing: correct probes, the last good model kept, migrations up and down."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

import serving.start
from models.publishing import publish
from serving.security.tokens import issue_token
from serving.start import StartError, serve
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import metadata
from tests.conftest import ROOT


def test_the_service_holds_nothing_that_only_training_needs():
    """LightGBM alone would bring scikit-learn, SciPy and 85 MB into a process that scores from tables."""
    asked = "import sys, serving.app; print(*{'lightgbm', 'sklearn', 'mlflow', 'shap', 'training'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_without_a_model_or_a_list_the_service_starts_and_says_so(tmp_path, start):
    token = issue_token(tmp_path, "cmht_system", None)
    headers = {"Authorization": f"Bearer {token}"}
    with start(tmp_path) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert [check["name"] for check in ready.json()["checks"] if not check["ok"]] == ["model"]
        assert client.get("/livez").json() == {"alive": True}
        assert client.get("/version").json()["bundle_id"] is None
        assert client.get("/v1/model", headers=headers).status_code == 503
        body = {"people": [{"patient_id": "X1", "tables": {}}]}
        assert client.post("/v1/scores", json=body, headers=headers).status_code == 503
        assert client.get("/v1/teams", headers=headers).json() == {
            "run": None,
            "items": [],
            "total": 0,
            "limit": 50,
            "offset": 0,
        }
        assert client.get("/v1/teams/north/worklist", headers=headers).status_code == 404
        client.post("/sign-in", data={"choice": "operator"})
        page = client.get("/").text
        assert "No model" in page and "Synthetic." in page


def test_the_service_is_ready_with_a_model_and_a_list(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200 and all(check["ok"] for check in answer.json()["checks"])


def test_a_new_bundle_is_swapped_in_and_a_damaged_one_leaves_the_last_good_serving(home, start, world):
    with start(home, poll_seconds=60) as client:
        live = client.app.state.service.live
        first = live.current
        newer = publish(
            home / "bundles", world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2")
        )
        live.check()
        assert live.current.manifest.model_version == "test-2" and live.current is not first

        broken = shutil.copytree(newer, home / "bundles" / "broken-1")
        booster = broken / "booster_admission.txt"
        booster.write_text(booster.read_text().replace("leaf_value=", "leaf_value=9", 1))
        (home / "bundles" / "current").write_text("broken-1")
        live.check()
        assert live.current.manifest.model_version == "test-2"
        ready = client.get("/readyz")
        assert ready.status_code == 200 and "refused" in ready.json()["checks"][0]["detail"]


@pytest.mark.parametrize("pointer", ["broken-1", "../elsewhere", "", "nothing-there"])
def test_a_start_on_a_bad_pointer_falls_back_to_the_last_good_bundle(home, start, world, pointer):
    good = (home / "bundles" / "current").read_text()
    (home / "bundles" / "last_good").write_text(good)
    (home / "bundles" / "broken-1").mkdir()
    (home / "bundles" / "current").write_text(pointer)
    with start(home) as client:
        assert client.app.state.service.live.current.manifest.bundle_id == good.strip()
        assert client.get("/readyz").status_code == 200


def test_the_status_page_says_that_an_earlier_model_serves(home, start):
    good = (home / "bundles" / "current").read_text()
    (home / "bundles" / "last_good").write_text(good)
    cookie = issue_token(home, "operator", None, kind="session")

    def status():
        with start(home) as client:
            client.cookies.set("upstream_session", cookie)
            return client.get("/status").text

    assert "Everything this service needs is there" in status()
    (home / "bundles" / "current").write_text("gone-1")
    page = status()
    assert "Something needs attention" in page and "An earlier one" in page and "newest model was refused" in page


def test_a_database_that_does_not_answer(home, start):
    token = issue_token(home, "pharmacist", ["north"])
    with start(home) as client:
        service = client.app.state.service
        service.database.close()
        (home / "service.db").write_bytes(b"not a database" * 100)
        for leftover in home.glob("service.db-*"):
            leftover.unlink()
        answer = client.get("/v1/patients/N03", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 503 and answer.json()["type"].endswith("database-unavailable")
        assert client.get("/readyz").status_code == 503


def test_a_port_in_use_is_an_error_that_says_what_to_do(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartError, match=r"port \d+ on 127.0.0.1 is in use.*--port"):
            serve(home, port=taken.getsockname()[1])


def test_serve_refuses_a_demo_beyond_this_machine(home, monkeypatch):
    monkeypatch.setenv("UPSTREAM_ENVIRONMENT", "demo")
    with pytest.raises(StartError, match="loopback"):
        serve(home, host="0.0.0.0", port=0)


def test_a_home_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    (tmp_path / "service.db").mkdir()
    with pytest.raises(StartError, match="home folder"):
        serve(tmp_path, port=0)


def test_serve_makes_one_app_and_runs_it(home, monkeypatch):
    made, ran = [], []
    make = serving.start.create_app
    monkeypatch.setattr(serving.start, "create_app", lambda settings: made.append(make(settings)) or made[-1])
    monkeypatch.setattr(serving.start, "write_log", lambda *_: None)
    monkeypatch.setattr(serving.start.signal, "signal", lambda *_: None)
    monkeypatch.setattr(serving.start.uvicorn.Server, "run", lambda server, sockets: ran.append(server.config.app))
    serve(home, port=0)
    assert len(made) == 1 and ran == made


def test_a_repaired_bundle_of_the_same_name_is_loaded(home, start, world):
    with start(home, poll_seconds=60) as client:
        live = client.app.state.service.live
        newer = world.write_tiny_bundle(home / "newer", world.records(), seed=1, version="test-2")
        (home / "bundles" / "current").write_text("late-1")
        live.check()
        assert live.current.manifest.model_version == "test-1"
        shutil.copytree(newer, home / "bundles" / "late-1")
        live.check()
        assert live.current.manifest.model_version == "test-2" and live.standing.problem == ""


# Migrations


def test_migrations_up_down_up(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'm.db'}")
    migrations.upgrade(database)
    assert migrations.at_head(database)
    migrations.downgrade(database)
    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    migrations.upgrade(database)
    migrations.upgrade(database)
    with database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_sqlite_is_set_up_for_many_readers_and_one_writer(database):
    with database.read() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000}


def test_file_names_give_the_revisions_of_their_files():
    config = Config()
    config.set_main_option("script_location", str(migrations.HERE))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == migrations.REVISIONS[-1]
    assert sorted(script.revision for script in scripts.walk_revisions()) == list(migrations.REVISIONS)
