"""What a server may send and readers often trip over: references, labels, files, times and deletions."""

from __future__ import annotations

import gzip
import json

import pytest

from features import Records, RecordsError
from features.records.sources import fhir
from tests.features.records.sources.fhir.resources import ANNA, LOINC, NHS_NUMBER, SUBJECT, coded, one, rows

NUMBER = {"system": NHS_NUMBER, "value": "9434765919"}
KNOWN = {**ANNA, "identifier": [NUMBER]}


def count(name="o1", day="2025-03-01", subject=SUBJECT, **fields):
    return one(
        "Observation", name, status="final", code=coded((LOINC, "751-8")), subject=subject, effectiveDateTime=day,
        valueQuantity={"value": 2.1, "code": "10*9/L"}, **fields,
    )  # fmt: skip


def lines(*resources):
    return "\n".join(json.dumps(resource) for resource in resources).encode()


def ingest(tmp_path, **files):
    """The store and the report of a folder with these files; a name's last underscore is its dot."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in files.items():
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / name.replace("_", ".")).write_bytes(content)
    report = fhir.ingest(folder, tmp_path / "store")
    assert all(sum(kind["fates"].values()) == kind["resources"] for kind in report["types"].values())
    return Records.load(tmp_path / "store"), report


@pytest.mark.parametrize(
    "subject",
    [
        {"reference": "Patient/anna"},
        {"reference": "Patient/anna/_history/3"},
        {"reference": "https://epr.example/fhir/Patient/anna"},
        {"reference": "https://epr.example/fhir/Patient/anna/_history/3"},
        {"identifier": {"system": NHS_NUMBER, "value": "943 476 5919"}},
        {"reference": "urn:uuid:4c1d", "identifier": NUMBER},  # the urn means nothing here, the number does
        {"reference": "Patient?identifier=x", "identifier": NUMBER},
        {"reference": "#p"},  # a contained Patient with the number
    ],
    ids=str,
)
def test_a_result_finds_its_person(tmp_path, subject):
    inside = {"contained": [{"resourceType": "Patient", "id": "p", "identifier": [NUMBER]}]}
    records, _ = ingest(tmp_path, all_ndjson=lines(KNOWN, count(subject=subject, **inside)))
    assert rows(records, "results", "patient_id") == [("anna",)]


def test_a_contained_person_of_one_resource_is_not_that_of_another(tmp_path):
    inside = {"contained": [{"resourceType": "Patient", "id": "p", "identifier": [NUMBER]}]}
    anonymous = {"contained": [{"resourceType": "Patient", "id": "p"}]}
    first, second = count(subject={"reference": "#p"}, **inside), count("o2", subject={"reference": "#p"}, **anonymous)
    records, report = ingest(tmp_path, all_ndjson=lines(KNOWN, first, second))
    assert len(records["results"]) == 1
    assert report["types"]["Observation"]["fates"] == {
        "mapped to results": 1,
        "set aside: the reference to the person leads nowhere": 1,
    }


CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        ({"meta": {"security": [{"code": "R"}]}}, "left out: restricted (meta.security)"),
        ({"meta": {"tag": [{"system": CONFIDENTIALITY, "code": "V"}]}}, "left out: restricted (meta.security)"),
        ({"meta": {"tag": [{"system": "urn:of-the-trust", "code": "R"}]}}, "mapped to results"),
        (
            {"modifierExtension": [{"url": "urn:not-of-this-person", "valueBoolean": True}]},
            "left out: a modifierExtension changes its meaning",
        ),
        ({"extension": [{"url": "urn:anything", "valueBoolean": True}]}, "mapped to results"),
    ],
)
def test_labels_and_modifiers_decide_whether_a_resource_is_read(tmp_path, fields, fate):
    _, report = ingest(tmp_path, all_ndjson=lines(ANNA, count(**fields)))
    assert report["types"]["Observation"]["fates"] == {fate: 1}


GOOD = lines(ANNA, count())


@pytest.mark.parametrize(
    "files",
    [
        {"all_ndjson": gzip.compress(GOOD)},  # compressed without the suffix
        {"all_ndjson_gz": GOOD},  # decompressed on the way, the suffix kept
        {"all_ndjson": b"\xef\xbb\xbf" + GOOD},
        {"all_ndjson": GOOD.replace(b"\n", b"\r\n") + b"\r\n\r\n"},
        {"all_ndjson": lines(ANNA, count(note=[{"text": "x" * 3_000_000}]))},
        {"person_json": ANNA, "result_json": count()},
        {"person_json": gzip.compress(json.dumps(ANNA).encode()), "result_json": count()},
    ],
    ids=["gzip without suffix", "suffix without gzip", "byte order mark", "CRLF", "long line", "single", "gzip single"],
)
def test_a_file_is_read_by_what_it_holds(tmp_path, files):
    records, report = ingest(tmp_path, **files)
    assert len(records["results"]) == 1 and report["broken_lines"] == []


def test_a_compressed_file_that_was_cut_off_is_refused_by_name(tmp_path):
    cut = gzip.compress(lines(ANNA, *(count(f"o{n}", note=[{"text": str(n**9)}]) for n in range(500))))[:-200]
    with pytest.raises(RecordsError, match=r"all\.ndjson\.gz is compressed, and damaged or cut off"):
        ingest(tmp_path, all_ndjson_gz=cut)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-07-01T23:30:00Z", "2025-07-02"),  # summer time in London
        ("2025-07-05T00:30:00+05:30", "2025-07-04"),
        ("2016-12-31T23:59:60Z", "2016-12-31"),  # a leap second
        ("2024-02", "2024-02-29"),
        ("2024", "2024-12-31"),
    ],
)
def test_a_time_is_read_as_its_day_in_london(tmp_path, text, day):
    records, _ = ingest(tmp_path, all_ndjson=lines(ANNA, count(day=text)))
    assert rows(records, "results", "taken_on") == [(day,)]


@pytest.mark.parametrize(
    "url", ["Observation/o1", "https://epr.example/fhir/Observation/o1", "Observation/o1/_history/4"]
)
@pytest.mark.parametrize("shape", ["deleted file", "transaction"])
def test_a_deletion_is_followed_however_it_is_written(tmp_path, url, shape):
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": "DELETE", "url": url}}]}
    files = {"all_ndjson": GOOD}
    if shape == "deleted file":
        files |= {"gone_ndjson": lines(gone)}
        listed = {"output": [{"url": "x/all.ndjson"}], "deleted": [{"url": "x/gone.ndjson"}]}
        files |= {"manifest_json": {"transactionTime": "2025-04-01T00:00:00Z", **listed}}
    else:
        files |= {"gone_json": gone}
    records, report = ingest(tmp_path, **files)
    assert len(records["results"]) == 0
    assert report["types"]["Observation"]["fates"] == {"left out: deleted": 1}


def test_a_deletion_without_an_id_is_reported(tmp_path):
    entry = {"request": {"method": "DELETE", "url": "Observation?code=751-8"}}
    gone = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    listed = {"output": [{"url": "x/all.ndjson"}], "deleted": [{"url": "x/gone.ndjson"}]}
    manifest = {"transactionTime": "2025-04-01T00:00:00Z", **listed}
    _, report = ingest(tmp_path, all_ndjson=GOOD, gone_ndjson=lines(gone), manifest_json=manifest)
    assert report["types"]["Bundle"]["fates"] == {"set aside: a Bundle inside another file of resources": 1}
