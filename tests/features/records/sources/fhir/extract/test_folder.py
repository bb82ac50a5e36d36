"""The shapes of an extract: files, manifests, deletions, broken lines, versions."""

from __future__ import annotations

import gzip
import json

import pytest

from features import RecordsError
from tests.features.records.sources.fhir.resources import (
    ANNA,
    LOINC,
    SUBJECT,
    bundle,
    coded,
    fate,
    ingest,
    ndjson,
    one,
    rows,
)


def weight(name="o1", value=80, **fields):
    return one(
        "Observation", name, status="final", code=coded((LOINC, "29463-7")), subject=SUBJECT,
        effectiveDateTime="2025-03-01", valueQuantity={"value": value, "code": "kg"}, **fields,
    )  # fmt: skip


def manifest(folder, day="2025-04-01T02:00:00Z", **lists):
    files = {
        name: [{"type": "x", "url": f"https://a.example/{file}"} for file in names] for name, names in lists.items()
    }
    (folder / "manifest.json").write_text(
        json.dumps(
            {"transactionTime": day, "request": "https://a.example/fhir/$export", "output": [], "error": [], **files}
        )
    )


def test_several_files_a_type_plain_and_gzip_with_a_byte_order_mark_and_blank_lines(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, name="1.Patient.ndjson")
    (folder / "1.Observation.ndjson").write_bytes(b"\xef\xbb\xbf" + json.dumps(weight()).encode() + b"\r\n\r\n")
    (folder / "2.Observation.ndjson.gz").write_bytes(gzip.compress(json.dumps(weight("o2", 81)).encode()))
    records, report = ingest(folder)
    assert rows(records, "results", "value") == [(80.0,), (81.0,)]
    assert report["resources"] == 3


def test_a_broken_line_is_named_by_file_and_line_and_the_rest_is_read(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, weight())
    with (folder / "all.ndjson").open("a") as file:
        file.write('{"resourceType":"Observation","status":\n{"resourceType":"Observation","status":7}\n')
    records, report = ingest(folder)
    assert len(records["results"]) == 1
    assert report["broken_lines"] == [
        {"file": "all.ndjson", "line": 3, "reason": "not JSON"},
        {"file": "all.ndjson", "line": 4, "reason": "Expected `str | null`, got `int` - at `$.status`"},
    ]


def test_unused_resource_types_are_counted(tmp_path):
    _, report = ingest(tmp_path / "in", one("Claim"), one("Claim", "c2"))
    assert report["types"]["Claim"]["fates"] == {"not read: a type that holds nothing we use": 2}


def test_a_manifest_names_its_files_and_its_day(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, weight())
    ndjson(folder, one("OperationOutcome"), name="problems.ndjson")
    manifest(folder, output=["all.ndjson"], error=["problems.ndjson"])
    records, report = ingest(folder)
    assert records.about["extract_day"] == "2025-04-01"
    assert fate(report, "OperationOutcome") == "not read: what the server reported of its export"


def test_a_file_that_the_manifest_names_and_nobody_fetched_stops_the_load(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA)
    manifest(folder, output=["all.ndjson", "2.Appointment.ndjson"])
    with pytest.raises(RecordsError, match=r"2\.Appointment\.ndjson, which is not in the folder"):
        ingest(folder)


def test_what_the_export_says_was_deleted_is_left_out(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, weight(), weight("o2", 81))
    gone = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Observation/o2"}}],
    }
    ndjson(folder, gone, name="deleted.ndjson")
    manifest(folder, output=["all.ndjson"], deleted=["deleted.ndjson"])
    records, report = ingest(folder)
    assert rows(records, "results", "value") == [(80.0,)]
    assert report["types"]["Observation"]["fates"] == {"left out: deleted": 1, "mapped to results": 1}


def test_of_two_versions_the_later_counts_whichever_was_read_first(tmp_path):
    new = weight(value=85, meta={"lastUpdated": "2025-05-01T10:00:00Z"})
    old = weight(value=80, meta={"lastUpdated": "2025-04-01T10:00:00Z"})
    records, report = ingest(tmp_path / "in", ANNA, new, old)
    assert rows(records, "results", "value") == [(85.0,)]
    assert report["types"]["Observation"]["fates"] == {"mapped to results": 1, "replaced by a later version": 1}


def test_stu3_is_refused_in_one_sentence(tmp_path):
    old = {**ANNA, "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Patient-1"]}}
    with pytest.raises(RecordsError, match="resources of FHIR STU3") as refused:
        ingest(tmp_path / "in", old)
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("kind", ["transaction", "message", "collection"])
def test_bundles_of_every_kind_are_read(tmp_path, kind):
    records, _ = ingest(ndjson(tmp_path / "in", bundle((None, ANNA), (None, weight()), kind=kind), name="b.json"))
    assert rows(records, "results", "value") == [(80.0,)]


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(RecordsError, match=r"holds no \.ndjson"):
        ingest(tmp_path / "in")


def test_workers_read_the_same_as_one_process(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, *(weight(f"o{i}", 60 + i) for i in range(40)))
    ndjson(folder, *(weight(f"p{i}", 60 + i) for i in range(40)), name="more.ndjson")
    alone, report = ingest(folder)
    together, again = ingest(folder, workers=2)
    assert together.data_hash == alone.data_hash
    assert again["types"] == report["types"]
