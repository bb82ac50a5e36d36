"""The services of the discovery answer, and the prefetch data that each needs."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from features.gaps.orders import CHECKED
from features.records.sources.fhir.codebook import load_codebook
from serving.cds.schemas import CdsService, CdsServices
from serving.http.problems import Problem, not_found

PATIENT_VIEW = "upstream-patient-view"
ORDER_SELECT = "upstream-order-select"
PATIENT = "Patient/{{context.patientId}}"
TESTS_OF_ORDERS = (
    "fbc",
    "wbc",
    "anc",
    "platelets",
    "lithium_level",
    "egfr",
    "u_and_e",
    "calcium",
    "calcium_adjusted",
    "tft",
    "tsh",
    "ecg_qtc",
    "pregnancy_status",
    "annual_risk_acknowledgement",
    "contraception_status",
)
"""Tests that the rules about an order read."""
_OF_SYSTEM = {"snomed": "http://snomed.info/sct", "loinc": "http://loinc.org"}


def services(patients: Literal["id", "nhs_number"]) -> CdsServices:
    """The discovery answer for a client with this kind of person id."""
    return CdsServices(
        services=[
            CdsService(
                hook="patient-view",
                id=PATIENT_VIEW,
                title="Overdue or missing care, and this week's review list",
                description=(
                    "What the published list says of the person: care that is overdue or missing by a rule and, for "
                    "somebody on this week's review list, the estimated risk with what raises and lowers it."
                ),
                prefetch={"patient": PATIENT} if patients == "nhs_number" else None,
                usageRequirements=(
                    "The person is on the caseload of a team of this client. No card means that there is nothing to "
                    "show, not that all is well."
                ),
            ),
            CdsService(
                hook="order-select",
                id=ORDER_SELECT,
                title="Checks of a selected medicine",
                description=f"Rules about the medicine that is selected, without a model: {CHECKED}.",
                prefetch={name: template for name, template in order_prefetch().items()},
                usageRequirements=(
                    "Needs every prefetch key; null where there is no such data. Medicines are read by dm+d or SNOMED "
                    "CT code. No card means that no rule fired, not that an order is safe."
                ),
            ),
        ]
    )


@cache
def order_prefetch() -> dict[str, str]:
    """The templates of order-select. Observations are asked for by the codes of our tables, never all of them."""
    of_person = "patient={{context.patientId}}"
    return {
        "patient": PATIENT,
        "medications": f"MedicationRequest?{of_person}&status=active",
        "observations": f"Observation?{of_person}&code={','.join(test_codes())}&_sort=-date&_count=100",
        "allergies": f"AllergyIntolerance?{of_person}",
        "conditions": f"Condition?{of_person}",
    }


def test_codes() -> list[str]:
    """``system|code`` of every test that the rules about an order read."""
    wanted = set(TESTS_OF_ORDERS)
    found = {
        f"{_OF_SYSTEM[system]}|{code}"
        for (system, code), tests in load_codebook().tests.items()
        if system in _OF_SYSTEM and wanted & set(tests)
    }
    return sorted(found)


def needed(prefetch: dict[str, dict[str, Any] | None], names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The prefetch data under each of ``names``, without null values (no such data). Raises a 412 ``Problem`` that
    names missing data and errors of the client's server.
    """
    missing = [name for name in names if name not in prefetch or _is_error(prefetch[name])]
    if missing:
        raise Problem(412, "prefetch-missing", f"Send the prefetch data that discovery asks for: {', '.join(missing)}.")
    return {name: found for name in names if (found := prefetch[name]) is not None}


def _is_error(resource: dict[str, Any] | None) -> bool:
    return resource is not None and resource.get("resourceType") == "OperationOutcome"


def known(service_id: str) -> None:
    """Raises 404 for a service that discovery does not name."""
    if service_id not in (PATIENT_VIEW, ORDER_SELECT):
        raise not_found()
