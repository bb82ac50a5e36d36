"""``export``: writes a store as UK Core NDJSON with a Bulk Data manifest, for tests and for data transfer.

Where R4 has no element, a code of our own system (``urn:upstream:code``) holds the value, so that reading the export
returns the same records. The known day is written in FHIR's own elements: issued, recordedDate, created, authoredOn,
Provenance of the creation, and meta.lastUpdated for fields that became known later.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from features.records.days import date_of
from features.records.records import Records
from features.records.sources.fhir.codebook import OWN_SYSTEM, CodeBook, load_codebook
from features.records.sources.fhir.linking.clocks import LATE_DAYS

JsonDict = dict[str, Any]
UK_CORE = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
PRESCRIPTION_TYPE = "https://fhir.nhs.uk/StructureDefinition/Extension-DM-PrescriptionType"
_LEGAL_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_URLS = {"snomed": "http://snomed.info/sct", "loinc": "http://loinc.org"}
_UCUM = {"10^9/L": "10*9/L", "mmHg": "mm[Hg]", "bpm": "/min", "C": "Cel", "mL/min/1.73m2": "mL/min/{1.73_m2}"}
_CONDITION_URLS = {"icd10": "http://hl7.org/fhir/sid/icd-10", "snomed_ct": "http://snomed.info/sct"}
_BLOCK = 50_000


def export(records: Records, folder: str | Path) -> JsonDict:
    """Writes ``records`` as NDJSON, one file a resource type, and ``manifest.json``. Returns the rows of each file and
    what could not be written."""
    writing = _FhirWriting(records, Path(folder))
    return writing.run()


class _FhirWriting:
    def __init__(self, records: Records, folder: Path) -> None:
        self.records = records
        self.folder = folder
        self.book = load_codebook()
        self.provenance: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.left_out: dict[str, int] = defaultdict(int)
        self.tag = {"tag": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}
        self.ids: dict[str, str] = {}

    def run(self) -> JsonDict:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise FileExistsError(f"{self.folder} holds other files; choose an empty folder for the export")
        self.folder.mkdir(parents=True, exist_ok=True)
        writers: dict[str, Callable[[], Iterator[JsonDict]]] = {
            "Patient": self._patients,
            "CareTeam": self._teams,
            "EpisodeOfCare": self._episodes,
            "Appointment": self._appointments,
            "Encounter": self._encounters,
            "MedicationRequest": lambda: self._supplies("prescribed"),
            "MedicationDispense": lambda: self._supplies("dispensed"),
            "MedicationAdministration": lambda: self._supplies("administered"),
            "Observation": self._observations,
            "Condition": lambda: self._conditions("diagnosis"),
            "AllergyIntolerance": lambda: self._conditions("allergy"),
            "CarePlan": lambda: self._conditions("shared_care"),
            "Provenance": self._provenance,
        }
        counts = {kind: self._write(kind, make()) for kind, make in writers.items()}
        day = date_of(max(self.records.last_day_known(), 0) + 1)
        manifest = {
            "transactionTime": f"{day}T02:00:00Z",
            "request": "urn:upstream:export/$export",
            "requiresAccessToken": False,
            "output": [
                {"type": kind, "url": f"{kind}.ndjson", "count": count} for kind, count in counts.items() if count
            ],
            "error": [],
        }
        (self.folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        return {"resources": counts, "left_out": dict(self.left_out)}

    def _write(self, kind: str, resources: Iterator[JsonDict]) -> int:
        encoder = msgspec.json.Encoder()
        count, path = 0, self.folder / f"{kind}.ndjson"
        with path.open("wb") as file:
            buffer = []
            for resource in resources:
                buffer.append(encoder.encode(resource))
                count += 1
                if len(buffer) == _BLOCK:
                    file.write(b"\n".join(buffer) + b"\n")
                    buffer.clear()
            file.write(b"".join(line + b"\n" for line in buffer))
        if count == 0:
            path.unlink()
        return count

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Yields the rows of a table: days as text, missing values left out, ``row`` as the row number."""
        frame = self.records[table]
        for column in frame.select_dtypes("datetime"):
            frame[column] = frame[column].dt.strftime("%Y-%m-%d").astype("object")
        names = list(frame.columns)
        for start in range(0, len(frame), _BLOCK):
            part = frame.iloc[start : start + _BLOCK].astype("object")
            for number, values in enumerate(part.to_numpy(object).tolist(), start):
                row = {n: v for n, v in zip(names, values, strict=True) if v is not None and v is not pd.NA and v == v}
                yield {"row": number, **row}

    def _id(self, text: str) -> str:
        """An id that FHIR allows: the text itself if it is valid, otherwise a hash of it."""
        if text not in self.ids:
            legal = _LEGAL_ID.fullmatch(text)
            self.ids[text] = text if legal else hashlib.sha256(text.encode()).hexdigest()[:40]
            self.left_out["ids that FHIR does not allow, replaced by a hash"] += not legal
        return self.ids[text]

    def _base(
        self,
        kind: str,
        name: str,
        row: JsonDict,
        *,
        late: str | None = None,
        event: str | None = None,
        known: bool = True,
    ) -> JsonDict:
        """The id and meta of a resource. A resource that became known long after ``event`` gets a Provenance of its
        update.
        """
        meta: JsonDict = dict(self.tag) if self.records.synthetic else {}
        if late:
            meta["lastUpdated"] = _noon(late)
            if event and (dt.date.fromisoformat(late) - dt.date.fromisoformat(event)).days > LATE_DAYS:
                self.provenance["UPDATE", late].append(f"{kind}/{name}")
        if known and "known_on" in row:
            self.provenance["CREATE", row["known_on"]].append(f"{kind}/{name}")
        return {"resourceType": kind, "id": name, **({"meta": meta} if meta else {})}

    def _subject(self, row: JsonDict) -> JsonDict:
        return {"reference": f"Patient/{self._id(row['patient_id'])}"}

    def _patients(self) -> Iterator[JsonDict]:
        ethnic = {meaning: code for (_, code), meaning in reversed(self.book.lists["ethnicity"].items())}
        for row in self._rows("patients"):
            extensions = []
            if row.get("ethnicity") in ethnic:
                coding = {"system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategory"}
                concept = {"coding": [{**coding, "code": ethnic[row["ethnicity"]]}]}
                extensions.append({"url": f"{UK_CORE}EthnicCategory", "valueCodeableConcept": concept})
            elif "ethnicity" in row:
                self.left_out["ethnicity in words that UK Core has no code for"] += 1
            for column in ("deprivation_decile", "learning_disability", "autism"):
                self.left_out[f"patients.{column}"] += column in row
            yield {
                **self._base("Patient", self._id(row["patient_id"]), row),
                **({"extension": extensions} if extensions else {}),
                **({"gender": row["sex"]} if "sex" in row else {}),
                **({"birthDate": row["birth_date"]} if "birth_date" in row else {}),
                **({"deceasedDateTime": row["died_on"]} if "died_on" in row else {}),
            }

    def _teams(self) -> Iterator[JsonDict]:
        for row in self._rows("teams"):
            self.left_out["teams.weekly_reviews"] += "weekly_reviews" in row
            yield {
                **self._base("CareTeam", self._id(row["team_id"]), row),
                "status": "active",
                **({"name": row["name"]} if "name" in row else {}),
                **({"category": [_own("team_kind", row["kind"])]} if "kind" in row else {}),
            }

    def _episodes(self) -> Iterator[JsonDict]:
        for row in self._rows("referrals"):
            period = {"start": row["opened_on"], **({"end": row["closed_on"]} if "closed_on" in row else {})}
            reason = [{"url": "urn:upstream:close-reason", "valueCode": row.get("close_reason")}]
            yield {
                **self._base(
                    "EpisodeOfCare",
                    self._id(row["referral_id"]),
                    row,
                    late=row.get("closed_known_on"),
                    event=row.get("closed_on"),
                ),
                **({"extension": reason} if "close_reason" in row else {}),
                "status": "finished" if "closed_on" in row else "active",
                "patient": self._subject(row),
                "period": period,
                "team": [{"reference": f"CareTeam/{self._id(row['team_id'])}"}],
            }

    def _appointments(self) -> Iterator[JsonDict]:
        for row in self._rows("contacts"):
            if not _by_appointment(row):
                continue
            status, reason = _APPOINTMENTS[row["outcome"]]
            actors = [{"actor": self._subject(row), "status": "accepted"}]
            for kind, column in (("HealthcareService", "team_id"), ("Practitioner", "staff_id")):
                if column in row:
                    actors.append({"actor": {"reference": f"{kind}/{self._id(row[column])}"}, "status": "accepted"})
            yield {
                **self._base(
                    "Appointment",
                    self._id(row["contact_id"]),
                    row,
                    late=row.get("outcome_known_on"),
                    event=row["contact_on"],
                ),
                **_channel(row),
                "status": status,
                **({"cancelationReason": _coded("cancel", reason)} if reason else {}),
                **({"serviceType": [_own("contact_kind", row["kind"])]} if "kind" in row else {}),
                "start": _noon(row["contact_on"]),
                "end": f"{row['contact_on']}T12:30:00Z",
                **({"created": row["booked_on"]} if "booked_on" in row else {}),
                "participant": actors,
            }

    def _encounters(self) -> Iterator[JsonDict]:
        for row in self._rows("contacts"):
            booked = _by_appointment(row)
            if row["outcome"] != "attended":
                continue
            name = f"e-{self._id(row['contact_id'])}" if booked else self._id(row["contact_id"])
            staff = (
                [{"individual": {"reference": f"Practitioner/{self._id(row['staff_id'])}"}}]
                if "staff_id" in row
                else []
            )
            provider = {"reference": f"Organization/{self._id(row['team_id'])}"} if "team_id" in row else None
            yield {
                **self._base(
                    "Encounter", name, row, late=row.get("outcome_known_on"), event=row["contact_on"], known=not booked
                ),
                **_channel(row),
                "status": "finished",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
                **({"type": [_own("contact_kind", row["kind"])]} if "kind" in row else {}),
                "subject": self._subject(row),
                **({"appointment": [{"reference": f"Appointment/{self._id(row['contact_id'])}"}]} if booked else {}),
                **({"participant": staff} if staff else {}),
                "period": {"start": _noon(row["contact_on"]), "end": f"{row['contact_on']}T12:30:00Z"},
                **({"serviceProvider": provider} if provider else {}),
            }
        yield from self._stays()

    def _stays(self) -> Iterator[JsonDict]:
        for row in self._rows("stays"):
            period = {"start": row["admitted_on"], **({"end": row["discharged_on"]} if "discharged_on" in row else {})}
            method, legal = _ADMISSIONS.get(row.get("method", "")), _LEGAL.get(row.get("legal_status", ""))
            nested = [{"url": "legalStatusClassification", "valueCodeableConcept": _coded("legal", legal)}]
            inside = [{"url": f"{UK_CORE}AdmissionMethod", "valueCodeableConcept": _coded("admission", method)}]
            yield {
                **self._base(
                    "Encounter",
                    f"stay-{row['row']}",
                    row,
                    late=row.get("discharge_known_on"),
                    event=row.get("discharged_on"),
                ),
                **({"extension": [{"url": f"{UK_CORE}LegalStatus", "extension": nested}]} if legal else {}),
                "status": "finished" if "discharged_on" in row else "in-progress",
                "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
                **({"serviceType": _own("ward", row["ward"])} if "ward" in row else {}),
                "subject": self._subject(row),
                "period": period,
                **({"hospitalization": {"extension": inside}} if method else {}),
            }

    def _supplies(self, kind: str) -> Iterator[JsonDict]:
        type_name = {"prescribed": "MedicationRequest", "dispensed": "MedicationDispense"}.get(
            kind, "MedicationAdministration"
        )
        reversals = self._reversals()
        for row in self._rows("supplies"):
            if row.get("status") not in (None, "supplied"):  # a reversal is written with the supply that it cancels
                self.left_out["supplies not handed over"] += row["status"] != "reversed" and row.get("kind") == kind
                continue
            if row.get("kind") != kind:
                self.left_out["supplies without a kind"] += "kind" not in row and kind == "dispensed"
                continue
            undone = reversals.get(_supply_told(row), "")
            undone = undone if undone >= row.get("known_on", "") else ""
            status = "entered-in-error" if undone else "active" if kind == "prescribed" else "completed"
            quantity = {"quantity": {"value": row["quantity"]}} if "quantity" in row else {}
            base = self._base(type_name, f"s-{row['row']}", row, late=undone or None)
            medicine = {"medicationCodeableConcept": _own("medicine", row["medicine"]), "subject": self._subject(row)}
            dosage, prescriber = _dosage(row), _PRESCRIBERS.get(row.get("prescriber", ""))
            typed = [{"url": PRESCRIPTION_TYPE, "valueCoding": {"code": prescriber}}] if prescriber else []
            order = {"status": "active", "intent": "order", **medicine}
            if kind == "prescribed":
                length = {"value": row.get("days_supplied"), "unit": "day", "system": _UCUM_URL, "code": "d"}
                asked = {**quantity, **({"expectedSupplyDuration": length} if "days_supplied" in row else {})}
                wanted = {"dispenseRequest": asked} if asked else {}
                yield {
                    **base,
                    **({"extension": typed} if typed else {}),
                    **order,
                    "status": status,
                    "authoredOn": row["supplied_on"],
                    **dosage,
                    **wanted,
                }
                continue
            request = {
                "resourceType": "MedicationRequest",
                "id": "m",
                **({"extension": typed} if typed else {}),
                **order,
                **dosage,
            }
            if kind == "dispensed":
                length = {"value": row.get("days_supplied"), "unit": "day", "system": _UCUM_URL, "code": "d"}
                yield {
                    **base,
                    "contained": [request],
                    "status": status,
                    **medicine,
                    "authorizingPrescription": [{"reference": "#m"}],
                    **quantity,
                    **({"daysSupply": length} if "days_supplied" in row else {}),
                    "whenHandedOver": _noon(row["supplied_on"]),
                    **dosage,
                }
                continue
            dose = {"value": row.get("dose_mg"), "unit": "mg", "system": _UCUM_URL, "code": "mg"}
            yield {
                **base,
                "contained": [request],
                "status": status,
                **medicine,
                "effectiveDateTime": _noon(row["supplied_on"]),
                "request": {"reference": "#m"},
                **({"dosage": {"dose": dose}} if "dose_mg" in row else {}),
            }

    def _reversals(self) -> dict[tuple[Any, ...], str]:
        """The day on which each reversed supply was known to be reversed."""
        frame = self.records["supplies"]
        if not (frame["status"] == "reversed").any():
            return {}
        rows = [row for row in self._rows("supplies") if row.get("status") == "reversed"]
        return {_supply_told(row): row.get("known_on", "") for row in rows}

    def _observations(self) -> Iterator[JsonDict]:
        codes = _exact_codes(self.book)
        for row in self._rows("results"):
            unit = row.get("unit")
            quantity = {
                "value": row.get("value"),
                "unit": unit,
                "system": _UCUM_URL,
                "code": _UCUM.get(unit or "", unit),
            }
            yield {
                **self._base("Observation", f"r-{row['row']}", row, known=False),
                "status": "final",
                "code": {"coding": [*codes.get(row["test"], []), *_own("test", row["test"])["coding"]]},
                "subject": self._subject(row),
                "effectiveDateTime": row["taken_on"],
                "issued": _noon(row["known_on"]),
                **({"valueQuantity": quantity} if "value" in row else {}),
            }
        for row in self._rows("circumstances"):
            yield {
                **self._base("Observation", f"c-{row['row']}", row, known=False),
                "status": "final",
                "code": _own("circumstance_question", row["kind"]),
                "subject": self._subject(row),
                "effectiveDateTime": row["from_on"],
                "issued": _noon(row["known_on"]),
                "valueCodeableConcept": _own("circumstance", f"{row['kind']}={row['value']}"),
            }

    def _conditions(self, category: str) -> Iterator[JsonDict]:
        for row in self._rows("conditions"):
            if row["category"] != category:
                continue
            kind = {"diagnosis": "Condition", "allergy": "AllergyIntolerance"}.get(category, "CarePlan")
            base = self._base(kind, f"d-{row['row']}", row)
            if category == "shared_care":
                yield {
                    **base,
                    "status": "active",
                    "intent": "plan",
                    "category": [_own("careplan", "shared_care")],
                    "subject": self._subject(row),
                    "created": row["recorded_on"],
                }
                continue
            url = _CONDITION_URLS.get(row.get("system", ""), OWN_SYSTEM)
            coding = {"system": url, "code": row.get("code", "unknown")}
            display = {"display": row["label"]} if "label" in row else {}
            yield {
                **base,
                "code": {"coding": [{**coding, **display}]},
                ("subject" if kind == "Condition" else "patient"): self._subject(row),
                "recordedDate": row["recorded_on"],
            }

    def _provenance(self) -> Iterator[JsonDict]:
        operation = {"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation"}
        agent = [{"who": {"display": "upstream export"}}]
        for (activity, day), keys in sorted(self.provenance.items()):
            for start in range(0, len(keys), 1_000):
                yield {
                    "resourceType": "Provenance",
                    "id": f"p-{activity.lower()}-{day}-{start // 1_000}",
                    "target": [{"reference": key} for key in keys[start : start + 1_000]],
                    "recorded": _noon(day),
                    "activity": {"coding": [{**operation, "code": activity}]},
                    "agent": agent,
                }


_UCUM_URL = "http://unitsofmeasure.org"
_APPOINTMENTS = {
    "planned": ("booked", None),
    "attended": ("fulfilled", None),
    "did_not_attend": ("noshow", None),
    "cancelled_by_patient": ("cancelled", "pat"),
    "cancelled_by_service": ("cancelled", "prov"),
}
_CHANNELS = {"face_to_face": "In-person", "telephone": "Telephone", "video": "Video"}
_ADMISSIONS = {"emergency": "21", "planned": "11", "transfer": "81"}
_LEGAL = {
    "informal": "01", "section_2": "02", "section_3": "03", "section_4": "04", "section_5": "05", "section_136": "20",
    "other_detention": "12",
}  # fmt: skip
_PRESCRIBERS = {"gp": "0101", "trust": "1001"}
_SYSTEM_URLS = {
    "cancel": "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason",
    "admission": "https://fhir.hl7.org.uk/CodeSystem/UKCore-AdmissionMethodEngland",
    "legal": "https://fhir.hl7.org.uk/CodeSystem/UKCore-LegalStatusClassification",
    "channel": "https://fhir.hl7.org.uk/CodeSystem/UKCore-DeliveryChannel",
}


def _noon(day: str) -> str:
    return f"{day}T12:00:00Z"


def _own(name: str, word: str) -> JsonDict:
    return {"coding": [{"system": OWN_SYSTEM, "code": f"{name}/{word}"}]}


def _coded(name: str, code: str | None) -> JsonDict:
    return {"coding": [{"system": _SYSTEM_URLS[name], "code": code}]}


def _by_appointment(row: JsonDict) -> bool:
    return "booked_on" in row or row["outcome"] != "attended"


def _channel(row: JsonDict) -> JsonDict:
    if "mode" not in row:
        return {}
    code = _CHANNELS.get(row["mode"])
    concept = _coded("channel", code) if code else _own("mode", row["mode"])
    return {"extension": [{"url": f"{UK_CORE}DeliveryChannel", "valueCodeableConcept": concept}]}


def _supply_told(row: JsonDict) -> tuple[Any, ...]:
    """The content of a row of supplies, without its position, status and known day."""
    return tuple(sorted((k, str(v)) for k, v in row.items() if k not in ("row", "status", "known_on")))


def _dosage(row: JsonDict) -> JsonDict:
    """One dosage instruction: the daily dose in mg, or for a depot the days between two doses."""
    dosage: JsonDict = {}
    if "as_required" in row:
        dosage["asNeededBoolean"] = bool(row["as_required"])
    if "daily_dose_mg" in row:
        dose = {"value": row["daily_dose_mg"], "unit": "mg", "system": _UCUM_URL, "code": "mg"}
        dosage["doseAndRate"] = [{"doseQuantity": dose}]
        dosage["timing"] = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    elif "interval_days" in row:
        dosage["timing"] = {"repeat": {"frequency": 1, "period": row["interval_days"], "periodUnit": "d"}}
        if "dose_mg" in row:
            dose = {"value": row["dose_mg"], "unit": "mg", "system": _UCUM_URL, "code": "mg"}
            dosage["doseAndRate"] = [{"doseQuantity": dose}]
    return {"dosageInstruction": [dosage]} if dosage else {}


def _exact_codes(book: CodeBook) -> dict[str, list[JsonDict]]:
    """For each test a LOINC or SNOMED CT code that means only this test."""
    found: dict[str, list[JsonDict]] = {}
    for (system, code), tests in sorted(book.tests.items()):
        if len(tests) == 1 and system in _URLS and tests[0] not in found and not _asks(book, system, code):
            found[tests[0]] = [{"system": _URLS[system], "code": code}]
    return found


def _asks(book: CodeBook, system: str, code: str) -> bool:
    """True if the code also records a person's circumstances (smoking)."""
    return (system, code) in book.lists["circumstance_question"]


__all__ = ["export"]
