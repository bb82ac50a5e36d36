"""Vignettes of values as they are written: a blood pressure in one value, an ECG with its QTc, words for a test."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette

RESULTS = "test taken_on value\n"
SUPPLIES = "medicine supplied_on days_supplied\n"
CODED = "category system code label recorded_on\n"

VALUES: list[Vignette] = [
    vignette(
        "blood pressure of 185/112 in one value",
        Must("BP_PULSE_QTC", "critical", says="185 mmHg.*112 mmHg"),
        supplies=SUPPLIES + every("olanzapine", 28, 200, 4),
        results=RESULTS + "blood_pressure d-5 185/112",
    ),
    vignette(
        "blood pressure of 124/78 in one value: no flag",
        not_found=("BP_PULSE_QTC",),
        supplies=SUPPLIES + every("olanzapine", 28, 200, 4),
        results=RESULTS + "blood_pressure d-5 124/78",
    ),
    vignette(
        "pregnancy test positive in words, on valproate",
        Must("VALPROATE_PPP", "critical", title="pregnancy"),
        patients="birth_date sex\n1995-01-01 female",
        supplies=SUPPLIES + every("valproate", 28, 400, 8),
        results=RESULTS + "pregnancy_status d-20 Positive",
    ),
    vignette(
        "pregnancy test negative in words, on lithium",
        not_found=("PREGNANCY_RISK",),
        patients="birth_date sex\n1995-01-01 female",
        supplies=SUPPLIES + every("lithium", 28, 400, 8),
        results=RESULTS + "pregnancy_status d-20 negative",
    ),
    vignette(
        "clozapine of 2/52, collected 40 days ago: a break, where 28 days would hide 14 of them",
        Must("CLZ_BREAK", "critical"),
        supplies=SUPPLIES + every("clozapine", 14, 180, 54) + "\nclozapine d-40 2/52",
    ),
    vignette(
        "FH: bipolar, no antipsychotic for a year: no such diagnosis",
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=SUPPLIES + every("sertraline", 28, 200, 4),
        conditions=CODED + "diagnosis local - FH:_bipolar d-900",
    ),
]

VIGNETTES = [*VALUES]
