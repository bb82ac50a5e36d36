"""The published list as NDJSON with a manifest: the same resources as the interface gives, whole or not at all."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from serving.auditlog.log import verify_chain
from serving.fhir.export import ExportRefused, export_run
from serving.security.tokens import issue_token


def lines(folder, kind):
    return [json.loads(line) for line in (folder / f"{kind}.ndjson").read_text().splitlines()]


def test_every_resource_of_the_interface_is_in_the_export(home, tmp_path, start):
    manifest = export_run(home, tmp_path / "out")
    counts = {one["type"]: one["count"] for one in manifest["output"]}
    assert counts["RiskAssessment"] == 13 * 2
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None)}"}
    with start(home) as client:
        for kind, count in counts.items():
            exported = {one["id"]: one for one in lines(tmp_path / "out", kind)}
            assert len(exported) == count
            for person in ("N00", "S02"):
                answer = client.get(f"/fhir/{kind}", params={"patient": person}, headers=headers).json()
                for entry in answer.get("entry", ()):
                    assert exported[entry["resource"]["id"]] == entry["resource"]


def test_every_exported_person_is_in_the_audit_log(home, tmp_path, database):
    export_run(home, tmp_path / "out")
    with database.read() as connection:
        query = text("SELECT team_id, patient_ids FROM audit_events WHERE action = 'fhir.exported' ORDER BY seq")
        rows = connection.execute(query).all()
    assert [(row.team_id, len(json.loads(row.patient_ids))) for row in rows] == [("north", 8), ("south", 5)]
    assert verify_chain(database) == []


def test_a_folder_that_holds_something_is_refused_and_nothing_is_left_behind(home, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other").touch()
    with pytest.raises(ExportRefused, match="empty folder"):
        export_run(home, tmp_path / "out")
    with pytest.raises(ExportRefused, match="upstream score"):
        export_run(tmp_path / "empty-home", tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert not (tmp_path / "new").exists()
