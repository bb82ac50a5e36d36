"""A sixth round: depots named by their substance and route, brands of two injections, allergies to one of a group, and
diagnoses in words alone; and two sentences that a tired reader misreads.

The answers were written before the rules were run.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette
from tests.spec.gaps.vignettes_other_inputs import CODED

GIVEN = "medicine supplied_on kind route dose_mg interval_days\n"


def depot(medicine: str, *ago: int, route: str = "depot", mg: str = "-", interval: str = "-") -> str:
    return GIVEN + "\n".join(f"{medicine} d-{day} administered {route} {mg} {interval}" for day in ago)


DEPOTS: list[Vignette] = [
    vignette(
        "paliperidone by depot, 150 mg every 28 days, last 50 days ago: the monthly product, past its limit",
        Must("LAI_OVERDUE", "critical", "paliperidone palmitate 1-monthly injection"),
        not_found=("SUPPLY_GAP_ORAL", "REGIMEN_CHANGE_RECENT"),
        supplies=depot("paliperidone", 106, 78, 50, mg="150", interval="28"),
    ),
    vignette(
        "haloperidol by depot, last 60 days ago",
        Must("LAI_OVERDUE", "critical", "haloperidol decanoate injection"),
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=depot("haloperidol", 116, 88, 60, mg="100", interval="28"),
    ),
    vignette(
        "risperidone into the muscle, 50 mg every 14 days, last 19 days ago",
        Must("LAI_OVERDUE", "", "risperidone microspheres injection"),
        supplies=depot("risperidone", 47, 33, 19, route="im", mg="50", interval="14"),
    ),
    vignette(
        "Abilify Maintena 960 mg, last 45 days ago, no interval recorded: neither late nor high dose",
        not_found=("LAI_OVERDUE", "HDAT", "DOSE_ABOVE_MAXIMUM"),
        supplies=depot("Abilify_Maintena", 157, 101, 45, mg="960"),
    ),
    vignette(
        "Abilify Maintena 400 mg, last 45 days ago: late",
        Must("LAI_OVERDUE", "critical", "aripiprazole 1-monthly injection"),
        supplies=depot("Abilify_Maintena", 101, 73, 45, mg="400"),
    ),
    vignette(
        "clozapine with haloperidol by depot for half a year",
        Must("INTERACTION_STANDING", says="haloperidol decanoate injection"),
        supplies=depot("haloperidol", *range(174, 5, -28), mg="50", interval="28")
        + "\n"
        + "\n".join(f"clozapine d-{ago} dispensed oral - 28" for ago in range(174, 5, -28)),
    ),
]

WORDS: list[Vignette] = [
    vignette(
        "allergy to one NSAID by its brand, another is supplied",
        Must("ALLERGY_CONFLICT", "critical", "naproxen"),
        supplies="medicine supplied_on days_supplied\nnaproxen d-10 28",
        conditions=CODED + "allergy local x Nurofen d-900",
    ),
    vignette(
        "allergy to ibuprofen, codeine is supplied",
        not_found=("ALLERGY_CONFLICT",),
        supplies="medicine supplied_on days_supplied\ncodeine d-10 28",
        conditions=CODED + "allergy local x ibuprofen d-900",
    ),
    vignette(
        "pregnant in words alone, on valproate",
        Must("VALPROATE_PPP", "critical", "pregnancy recorded on d-20", title="pregnancy"),
        patients="birth_date sex\n1995-01-01 female",
        supplies="medicine supplied_on days_supplied\n" + every("valproate", 28, 400, 8),
        conditions=CODED + "diagnosis local - Pregnant d-20",
    ),
    vignette(
        "psychosis in words alone, tablets ran out four months ago",
        Must("NO_ANTIPSYCHOTIC", "high"),
        supplies="medicine supplied_on days_supplied\n" + every("olanzapine", 28, 400, 150),
        conditions=CODED + "diagnosis local - Psychosis d-900",
    ),
    vignette(
        "St John's wort beside sertraline",
        Must("INTERACTION_STANDING", says="wort"),
        supplies="medicine supplied_on days_supplied\n"
        + every("sertraline", 28, 200, 4)
        + "\n"
        + every("St_John's_Wort", 28, 200, 4),
    ),
    vignette(
        "co-dydramol beside diazepam",
        Must("INTERACTION_STANDING", says="dihydrocodeine"),
        supplies="medicine supplied_on days_supplied\n"
        + every("diazepam", 28, 200, 4)
        + "\n"
        + every("Co-dydramol", 28, 200, 4),
    ),
]

SAID: list[Vignette] = [
    vignette(
        "lithium ran out ten days ago: a relapse is a risk, and none is recorded",
        Must("SUPPLY_GAP_ORAL", "high", "10 days ago: risk of relapse with mania"),
        supplies="medicine supplied_on days_supplied\n" + every("lithium", 28, 402, 38),
    ),
    vignette(
        "a red count two days ago: every day, not every 1 days",
        Must("CLZ_FBC_OVERDUE", says="every day now, after the red result"),
        supplies="medicine supplied_on days_supplied\n" + every("clozapine", 28, 812, 0),
        results="test taken_on value\nwbc d-2 2.5\nanc d-2 1.2",
    ),
]

VIGNETTES = [*DEPOTS, *WORDS, *SAID]
