"""Resources that nobody here wrote: no exception, every line accounted for, every planted defect named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features import Records
from features.records.sources import fhir
from features.reference import TESTS

HERE = Path(__file__).resolve().parents[5]
SHARED = HERE.parent / "shared" / "data"
HL7 = HERE / ".tools" / "hl7-r4-examples" / "package"

pytestmark = pytest.mark.external


def needed(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.relative_to(HERE.parent)} is not on this machine (make fhirexamples; ../shared/data)")
    return path


def test_hl7s_own_examples_of_every_resource(tmp_path):
    report = fhir.ingest(needed(HL7), tmp_path / "store")
    assert report["resources"] >= 5_306
    assert all(sum(kind["fates"].values()) == kind["resources"] for kind in report["types"].values())
    assert {line["file"] for line in report["broken_lines"]} <= {"package.json", ".index.json"}


def test_messages_of_the_electronic_prescription_service(tmp_path):
    report = fhir.ingest(needed(SHARED / "nhs_eps_fhir"), tmp_path / "store")
    dispensed = report["types"]["MedicationDispense"]["fates"]
    assert dispensed["left out: cancelled, not handed over"] >= 1
    assert dispensed["left out: owing, not handed over"] >= 1
    assert report["broken_lines"] == []
    numbers = b"9449304130"
    assert not any(numbers in file.read_bytes() for file in (tmp_path / "store").iterdir())


def test_eight_people_of_synthea(tmp_path):
    report = fhir.ingest(needed(SHARED / "fhir_synthea_r4"), tmp_path / "store")
    assert report["people_kept"] == 8
    assert report["types"]["Encounter"]["resources"] == 177
    assert set(report["types"]["Encounter"]["fates"]) <= {"mapped to contacts", "mapped to stays"}
    assert len(Records.load(tmp_path / "store")["results"]) > 400


PLANTED = ("missing_field", "duplicate_entry", "out_of_order_timestamp", "unparseable_value", "unknown_code_system")


def with_planted(kind: str) -> tuple[list[dict], list]:
    """Resources of three people of carebundle with every defect of one kind that it can plant, and the list of them."""
    carebundle = pytest.importorskip("carebundle", reason="carebundle is not installed (extra [test])")
    resources, planted = [], []
    for seed, person in enumerate(carebundle.generate_cohort(count=3, seed=1)):
        bundle = json.loads(carebundle.to_json(person))
        spoilt, defects = carebundle.inject_defects(bundle, carebundle.Imperfection(**{kind: 1.0}), seed=seed)
        resources.append(spoilt)
        planted += defects
    return resources, planted


def counts(report: dict, kind: str) -> dict[str, int]:
    return report["types"].get(kind, {}).get("fates", {})


@pytest.mark.parametrize("kind", PLANTED)
def test_nothing_is_lost_and_every_defect_that_carebundle_plants_is_named(tmp_path, kind):
    bundles, planted = with_planted(kind)
    folder = tmp_path / "in"
    folder.mkdir()
    for number, bundle in enumerate(bundles):
        (folder / f"{number}.json").write_text(json.dumps(bundle))
    report = fhir.ingest(folder, tmp_path / "store")
    assert report["resources"] == sum(len(bundle["entry"]) for bundle in bundles)
    seen, records = counts(report, "Observation"), Records.load(tmp_path / "store")
    spoilt = [one for one in planted if one.resource_type == "Observation"]
    assert spoilt
    if kind == "missing_field":
        assert seen["not read: status"] == sum("'status'" in one.detail for one in spoilt)
    elif kind == "unknown_code_system":
        # A blood pressure whose own code is strange still has its two numbers, each under its own code. A test whose
        # name is ours is set aside and stays with the person.
        named = seen["set aside: value: not a number"]
        assert named and len(records.unread) >= named
        assert seen["mapped to results"] == 3
        assert seen["not mapped: the code is in no mapping table"] == len(spoilt) - 3 - named
    elif kind == "out_of_order_timestamp":  # moved to a day after today
        assert not any(fate.startswith("mapped") for fate in seen)
    elif kind == "unparseable_value":
        results = records["results"]
        checks = [test for test, one in TESTS.items() if not one.unit]  # done or not done: they have no number
        assert (results["value"].notna() | results["test"].isin(checks)).all()
    else:  # a near-duplicate has an id of its own: one event, counted once
        twice = records["results"].duplicated(["patient_id", "test", "taken_on", "value"])
        assert not twice.any()
