"""Small FHIR resources for tests: each says only what it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from features import Records
from features.records.sources import fhir

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
UK_CORE = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
EPS = "https://fhir.nhs.uk/CodeSystem/medicationdispense-type"
ANNA = {"resourceType": "Patient", "id": "anna", "birthDate": "1980-05-01", "gender": "female"}


def to(key: str) -> dict[str, str]:
    return {"reference": key}


SUBJECT = to("Patient/anna")


def coded(*codes: tuple[str, str], text: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code} for system, code in codes]}
    return concept | ({"text": text} if text else {})


def one(resource_type: str, name: str = "r1", /, **fields: Any) -> dict[str, Any]:
    return {"resourceType": resource_type, "id": name, **fields}


def bundle(*entries: tuple[str | None, dict[str, Any]], kind: str = "message", **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"fullUrl": url, "resource": resource} if url else {"resource": resource} for url, resource in entries
        ],
        **fields,
    }


def ndjson(folder: Path, *resources: dict[str, Any], name: str = "all.ndjson") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(resource) + "\n" for resource in resources), encoding="utf-8")
    return folder


def ingest(folder: Path, *resources: dict[str, Any], **options: Any) -> tuple[Records, dict[str, Any]]:
    """The store that some resources become (Anna is there unless a Patient is given), and the account of it."""
    if resources:
        people = any(resource["resourceType"] == "Patient" for resource in resources)
        ndjson(folder, *(() if people else (ANNA,)), *resources)
    out = folder.parent / f"{folder.name}-store"
    report = fhir.ingest(folder, out, **options)
    assert sum(kind["resources"] for kind in report["types"].values()) == report["resources"]
    assert all(sum(kind["fates"].values()) == kind["resources"] for kind in report["types"].values())
    return Records.load(out), report


def fate(report: dict[str, Any], resource_type: str) -> str:
    """The one fate of the resources of a type."""
    (found,) = report["types"][resource_type]["fates"]
    return found


def rows(records: Records, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of a table as text: dates as YYYY-MM-DD, nothing as "-"."""
    frame = records[table][list(columns)]
    for column in frame.select_dtypes("datetime"):
        frame[column] = frame[column].dt.strftime("%Y-%m-%d")
    return [tuple("-" if value != value or value is None else value for value in row) for row in frame.to_numpy(object)]
