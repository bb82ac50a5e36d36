"""A store as FHIR: true R4 by an outside check, labelled synthetic, and read back the same."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from features import Records
from features.records.sources import fhir
from training.simulator import simulate


@pytest.fixture(scope="module")
def trust():
    return simulate(patients=40, years=2, seed=20260105, teams=2).records


@pytest.fixture(scope="module")
def written(trust, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "fhir"
    fhir.export(trust, folder)
    return folder


def test_every_resource_is_r4_by_an_outside_check(written):
    fhirkit = pytest.importorskip("fhirkit", reason="fhirkit-rs is not installed (extra [test])")
    for file in sorted(written.glob("*.ndjson")):
        for line in file.read_text().splitlines()[:300]:
            wrong = [issue for issue in fhirkit.validate(line) if issue.severity == "error"]
            assert not wrong, f"{file.name}: {wrong[0].path} {wrong[0].message}"


def test_what_is_simulated_says_so_and_is_synthetic_when_read_back(written, tmp_path):
    person = json.loads((written / "Patient.ndjson").read_text().splitlines()[0])
    assert person["meta"]["tag"][0]["code"] == "HTEST"
    assert fhir.ingest(written, tmp_path / "store")["synthetic"] is True


def test_the_manifest_names_every_file_with_its_lines(written):
    manifest = json.loads((written / "manifest.json").read_text())
    assert {one["url"]: one["count"] for one in manifest["output"]} == {
        file.name: len(file.read_text().splitlines()) for file in written.glob("*.ndjson")
    }


@pytest.mark.parametrize("table", ["referrals", "contacts", "supplies", "results", "stays", "circumstances"])
def test_what_is_read_back_is_what_was_written(trust, written, tmp_path, table):
    fhir.ingest(written, tmp_path / "store")
    ours, theirs = trust[table], Records.load(tmp_path / "store")[table]
    if table == "contacts":  # nothing that was not booked is known before its day
        unbooked = ours["booked_on"].isna() & (ours["outcome"] != "planned")
        ours["known_on"] = ours["known_on"].where(~unbooked, ours[["known_on", "contact_on"]].max(axis=1))
    columns = [name for name in ours if ours[name].notna().any()]
    order = ours[columns].astype("str").sort_values(columns).index
    again = theirs[columns].astype("str").sort_values(columns).index
    pd.testing.assert_frame_equal(
        ours.loc[order].reset_index(drop=True), theirs.loc[again].reset_index(drop=True), check_dtype=False
    )


def test_a_folder_that_holds_something_is_not_written_over(trust, written):
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        fhir.export(trust, written)
