"""What a reader loses without a word: versions, resources without an id, values, pages and files."""

from __future__ import annotations

import json

import pytest

from features import RecordsError
from features.records.sources import fhir
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
    to,
)

ANC, FBC = coded((LOINC, "751-8")), coded((LOINC, "58410-2"))
ABSENT = {"valueQuantity": None, "dataAbsentReason": coded(("x", "error"))}


def count(name="o1", day="2025-03-01", value=2.1, **fields):
    usual = {"status": "final", "code": ANC, "subject": SUBJECT, "effectiveDateTime": day,
             "valueQuantity": {"value": value, "code": "10*9/L"}}  # fmt: skip
    return one("Observation", name, **usual | fields)


def without_id(resource):
    return {name: value for name, value in resource.items() if name != "id"}


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ({"lastUpdated": "2025-07-01T09:30:00Z"}, {"lastUpdated": "2025-07-01T10:00:00+01:00"}),
        ({"lastUpdated": "2025-07-01T10:00:00.900Z"}, {"lastUpdated": "2025-07-01T10:00:00.100Z"}),
        ({"lastUpdated": "2025-07-01T10:00:00Z", "versionId": "3"},
         {"lastUpdated": "2025-07-01T10:00:00Z", "versionId": "2"}),
        ({"lastUpdated": "2016-12-31T23:59:60Z"}, {"lastUpdated": "2016-12-31T23:59:58Z"}),
        ({"versionId": "10"}, {"versionId": "9"}),
    ],
    ids=["another zone", "milliseconds", "one second, two versions", "a leap second", "numbers alone"],
)  # fmt: skip
def test_of_two_versions_the_later_moment_counts_whichever_was_read_last(tmp_path, later, earlier):
    records, _ = ingest(tmp_path / "in", count(value=3.0, meta=later), count(value=1.0, meta=earlier))
    assert rows(records, "results", "value") == [(3.0,)]


def test_resources_without_an_id_stay_apart_in_every_file_and_bundle(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, name="p.ndjson")
    for month in (1, 2):
        ndjson(folder, without_id(count(day=f"2025-0{month}-01")), name=f"{month}.ndjson")
        document = bundle((None, without_id(count(day=f"2025-0{month + 2}-01"))))
        (folder / f"{month}.json").write_text(json.dumps(document))
    records, _ = ingest(folder)
    assert rows(records, "results", "taken_on") == [(f"2025-0{month}-01",) for month in (1, 2, 3, 4)]


def test_a_line_that_cannot_be_read_replaces_nothing(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA, count(), count(value="two"))
    (folder / "a.json").write_text("[]")
    (folder / "b.json").write_text("[]")
    records, report = ingest(folder)
    assert rows(records, "results", "value") == [(2.1,)]
    assert report["types"]["?"]["fates"] == {"set aside: a line that cannot be read": 2}


@pytest.mark.parametrize(
    ("holder", "link"), [("new", ("old", "replaces")), ("old", ("new", "replaced-by"))], ids=["replaces", "replaced-by"]
)
def test_two_records_of_a_person_are_one_whichever_names_the_other(tmp_path, holder, link):
    other, kind = link
    people = [
        one("Patient", name, **({"link": [{"other": to(f"Patient/{other}"), "type": kind}]} if name == holder else {}))
        for name in ("old", "new")
    ]
    records, _ = ingest(tmp_path / "in", *people, count(subject=to("Patient/old")))
    assert rows(records, "results", "patient_id") == [("new",)]


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"valueQuantity": {"code": "10*9/L"}}, "left out: no value"),
        ({"valueQuantity": None}, "left out: no value"),
        ({"valueQuantity": None, "valueRange": {"low": {"value": 1}}}, "set aside: value: not a number"),
        ({"valueQuantity": None, "valueCodeableConcept": coded(("x", "n"))}, "set aside: value: not a number"),
    ],
    ids=["a unit alone", "nothing", "a range", "a code"],
)
def test_a_test_is_done_only_with_a_number(tmp_path, fields, outcome):
    records, report = ingest(tmp_path / "in", count(**fields))
    assert fate(report, "Observation") == outcome
    assert len(records["results"]) == 0


@pytest.mark.parametrize(
    ("member", "done"),
    [(count(), True), (count(**ABSENT), False), (count(valueQuantity=None), False), (None, True)],
    ids=["done", "not done", "without a value", "not in the extract"],
)
def test_the_head_of_a_panel_counts_unless_none_of_its_members_was_done(tmp_path, member, done):
    head = count("head", code=FBC, valueQuantity=None, hasMember=[to("Observation/o1")])
    records, _ = ingest(tmp_path / "in", head, *([member] if member else []))
    assert ("fbc",) in rows(records, "results", "test") if done else len(records["results"]) == 0


MANIFEST = {"transactionTime": "2025-06-01T00:00:00Z", "output": [{"url": "x/p.ndjson"}]}
OUTCOME = one("OperationOutcome", "e", issue=[{"severity": "fatal", "code": "exception"}])


@pytest.mark.parametrize(
    ("files", "note"),
    [
        ({"page.json": bundle(kind="searchset", link=[{"relation": "next", "url": "x?page=2"}])},
         "Bundle: names a next page that is not in the folder (1)"),
        ({"manifest.json": MANIFEST, "o.ndjson": count()}, "files that no manifest names; they were read (1)"),
        ({"manifest.json": MANIFEST | {"error": [{"url": "x/e.ndjson"}]}, "e.ndjson": OUTCOME},
         "OperationOutcome: an error or fatal; part of the export may be missing (1)"),
        ({"o.txt": count()}, "files that hold no FHIR by their name; not read (1)"),
    ],
    ids=["next page", "beside the manifest", "a fatal error", "another ending"],
)  # fmt: skip
def test_an_incomplete_export_is_reported(tmp_path, files, note):
    folder = ndjson(tmp_path / "in", ANNA, name="p.ndjson")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    _, report = ingest(folder)
    assert note in report["notes"]


def test_a_complete_set_of_bundle_pages_is_not_reported_as_incomplete(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA)
    for page, links in enumerate([{"self": "x?1", "next": "x?2"}, {"self": "x?2"}]):
        given = [{"relation": relation, "url": url} for relation, url in links.items()]
        (folder / f"{page}.json").write_text(json.dumps(bundle(kind="searchset", link=given)))
    _, report = ingest(folder)
    assert report["notes"] == []


def test_an_archive_in_the_folder_is_refused(tmp_path):
    folder = ndjson(tmp_path / "in", ANNA)
    (folder / "Observation.ndjson.zip").write_bytes(b"PK")
    with pytest.raises(RecordsError, match=r"Observation\.ndjson\.zip cannot be read here"):
        fhir.ingest(folder, tmp_path / "store")


@pytest.mark.parametrize(
    ("resource", "table"),
    [
        (count("r1"), "results"),
        (one("Observation", "r1", status="final", subject=SUBJECT, code=coded((LOINC, "72166-2")),
             effectiveDateTime="2025-03-01", valueCodeableConcept=coded(("http://snomed.info/sct", "77176002"))),
         "circumstances"),
    ],
    ids=["results", "circumstances"],
)  # fmt: skip
def test_a_provenance_of_the_creation_dates_when_it_became_known(tmp_path, resource, table):
    created = one("Provenance", "p", target=[to("Observation/r1")], recorded="2025-03-09T10:00:00Z",
                  activity=coded(("x", "CREATE")))  # fmt: skip
    records, _ = ingest(tmp_path / "in", resource, created)
    assert rows(records, table, "known_on") == [("2025-03-09",)]
