"""Sections A to D of the review a third time: other medicines, routes, words, units and clocks than the rounds before.

The answers were written before the rules were run.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette
from tests.spec.gaps.vignettes_other_inputs import (
    CODED,
    DEPOT,
    HEAD,
    KIND,
    KINDS,
    RESULTS,
    SEEN,
    both,
    depots,
    dosed,
)

PLENTY = HEAD + every("clozapine", 28, 1100, 8)
WOMAN, MAN = "birth_date sex\n1995-05-05 female", "birth_date sex\n1995-05-05 male"
OLD = "birth_date sex\n1950-05-05 female"
PSYCHOSIS = CODED + "diagnosis icd10 F20.0 x d-900"

STOPPED: list[Vignette] = [
    vignette(
        f"{medicine} ended {ago} days ago, {code} recorded",
        Must("NO_ANTIPSYCHOTIC", severity, medicine),
        supplies=HEAD + every(medicine, 28, 900, ago + 28),
        conditions=CODED + f"diagnosis {system} {code} x d-1200",
        contacts=SEEN,
    )
    for medicine, ago, system, code, severity in (
        ("lurasidone", 110, "icd10", "F25.1", "high"),
        ("cariprazine", 95, "icd10", "F31", "high"),
        ("sulpiride", 400, "icd10", "F22.0", "high"),
        ("trifluoperazine", 700, "icd10", "F20", "high"),
        ("clozapine", 95, "snomed", "58214004", "critical"),
        ("quetiapine", 120, "snomed", "13746004", "high"),
    )
]
TOGETHER: list[Vignette] = [
    vignette(f"{one} with {two} for half a year and more", Must(code), supplies=both(one, two))
    for one, two, code in (
        ("lithium", "diclofenac", "INTERACTION_STANDING"),
        ("lithium", "lisinopril", "INTERACTION_STANDING"),
        ("lithium", "losartan", "INTERACTION_STANDING"),
        ("lithium", "indapamide", "INTERACTION_STANDING"),
        ("tranylcypromine", "fluoxetine", "INTERACTION_STANDING"),
        ("moclobemide", "venlafaxine", "INTERACTION_STANDING"),
        ("clozapine", "zuclopenthixol_decanoate_injection", "INTERACTION_STANDING"),
        ("paroxetine", "ibuprofen", "INTERACTION_STANDING"),
        ("escitalopram", "amisulpride", "BP_PULSE_QTC"),
        ("methadone", "quetiapine", "BP_PULSE_QTC"),
    )
]
RESULTS_OF_HARM: list[Vignette] = [
    vignette(
        f"{test} {value} with {medicine}",
        Must(code, severity, str(value)),
        supplies=HEAD + every(medicine, 28, 500, 8),
        results=RESULTS + f"{test} d-3 {value}",
    )
    for medicine, test, value, code, severity in (
        ("mirtazapine", "sodium", 121, "RESULT_DANGEROUS", "critical"),
        ("fluoxetine", "sodium", 123, "RESULT_DANGEROUS", "critical"),
        ("valproate", "platelets", 45, "RESULT_DANGEROUS", ""),
        ("valproate", "alt", 350, "RESULT_DANGEROUS", ""),
        ("carbamazepine", "carbamazepine_level", 17, "RESULT_DANGEROUS", ""),
        ("paliperidone", "ck", 8000, "RESULT_DANGEROUS", ""),
        ("lithium", "lithium_level", 1.6, "LI_LEVEL_ABNORMAL", "critical"),
        ("clozapine", "anc", 0.3, "CLZ_RESULT_RED_AMBER", "critical"),
        ("amisulpride", "qtc", 515, "BP_PULSE_QTC", "critical"),
        ("risperidone", "hba1c", 61, "METABOLIC_WORSENING", "high"),
        ("risperidone", "prolactin", 3600, "SIDE_EFFECT_BURDEN", "high"),
        ("amisulpride", "prolactin", 1500, "SIDE_EFFECT_BURDEN", "medium"),
    )
]
STOPPED_SUDDENLY: list[Vignette] = [
    vignette(
        f"{medicine} for a year and a half ran out {ago} days ago",
        Must(code, says=f"{medicine}|supply of (antipsychotic|mood stabiliser)"),
        supplies=HEAD + every(medicine, 28, 560 + ago, ago + 28),
    )
    for medicine, ago, code in (
        ("clonazepam", 8, "WITHDRAWAL_RISK"),
        ("zopiclone", 10, "WITHDRAWAL_RISK"),
        ("duloxetine", 7, "WITHDRAWAL_RISK"),
        ("pregabalin", 9, "WITHDRAWAL_RISK"),
        ("lithium", 5, "SUPPLY_GAP_ORAL"),
        ("carbamazepine", 16, "SUPPLY_GAP_ORAL"),
        ("quetiapine", 16, "SUPPLY_GAP_ORAL"),
    )
]
DOSES: list[Vignette] = [
    vignette(
        "citalopram 30 mg at 75: above the maximum for this person",
        Must("DOSE_ABOVE_MAXIMUM", "high", "citalopram 30 mg"),
        patients=OLD,
        supplies=dosed("citalopram", 30),
    ),
    vignette(
        "citalopram 20 mg at 75: at the maximum",
        not_found=("DOSE_ABOVE_MAXIMUM",),
        patients=OLD,
        supplies=dosed("citalopram", 20),
    ),
    vignette("haloperidol 20 mg: at the maximum", not_found=("HDAT",), supplies=dosed("haloperidol", 20)),
    vignette("haloperidol 25 mg: above it", Must("HDAT", says="haloperidol"), supplies=dosed("haloperidol", 25)),
    vignette(
        "quetiapine 600 mg and olanzapine 10 mg: 80% and 50%",
        Must("HDAT"),
        supplies=dosed("quetiapine", 600) + "\n" + every("olanzapine", 28, 200, 1, "10"),
    ),
]
DEPOTS: list[Vignette] = [
    vignette(
        "paliperidone 1-monthly four days late",
        Must("LAI_OVERDUE", "medium", "4 days past due"),
        supplies=DEPOT + depots("paliperidone_palmitate_1-monthly_injection", 28, 32),
    ),
    vignette(
        "weekly zuclopenthixol 15 days late",
        Must("LAI_OVERDUE", says="15 days past due"),
        supplies=DEPOT + depots("zuclopenthixol_decanoate_injection", 7, 22),
    ),
    vignette(
        "haloperidol decanoate due today",
        not_found=("LAI_OVERDUE",),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 28),
    ),
    vignette(
        "flupentixol depot last given 130 days ago, psychosis",
        Must("NO_ANTIPSYCHOTIC", "critical", "flupentixol"),
        supplies=DEPOT + depots("flupentixol_decanoate_injection", 14, 130),
        conditions=PSYCHOSIS,
        contacts=SEEN,
    ),
    vignette(
        "depot dispensed to the clinic last week, last given 50 days ago, every 28",
        Must("LAI_OVERDUE", says="22 days past due", does="chart"),
        supplies=DEPOT
        + depots("haloperidol_decanoate_injection", 28, 50)
        + "\nhaloperidol_decanoate_injection d-6 28 dispensed",
    ),
    vignette(
        "risperidone microspheres started 12 days ago, no tablets",
        Must("LAI_SAFE_USE", "high", "oral cover"),
        supplies=DEPOT + "risperidone_microspheres_injection d-12 14 administered",
    ),
    vignette(
        "olanzapine embonate yesterday, two weeks after the first, and no observation",
        Must("LAI_SAFE_USE", "high", "observation"),
        supplies=DEPOT + "olanzapine_embonate_injection d-16 14 administered\n"
        "olanzapine_embonate_injection d-2 14 administered",
    ),
]
CLOZAPINE: list[Vignette] = [
    vignette(
        "week 12, eight days since the count",
        Must("CLZ_FBC_OVERDUE", says="every 7 days"),
        supplies=HEAD + every("clozapine", 7, 84, 1),
        results=RESULTS + "anc d-8 3.9\nwbc d-8 6.1",
    ),
    vignette(
        "year three, 30 days since the count",
        Must("CLZ_FBC_OVERDUE", says="every 28 days"),
        supplies=PLENTY,
        results=RESULTS + "anc d-30 3.9\nwbc d-30 6.1",
    ),
    vignette(
        "ran out four days ago and nothing since",
        Must("CLZ_BREAK", says="ran out"),
        supplies=HEAD + every("clozapine", 28, 1096, 32),
        results=RESULTS + "anc d-20 3.9\nwbc d-20 6.1",
    ),
    vignette(
        "neutrophils 1.3 and white cells 2.8, general limits: red",
        Must("CLZ_RESULT_RED_AMBER", "critical", "1.3"),
        supplies=PLENTY,
        results=RESULTS + "anc d-1 1.3\nwbc d-1 2.8",
    ),
    vignette(
        "BEN recorded as yes, neutrophils 1.2: amber by BEN limits",
        Must("CLZ_RESULT_RED_AMBER", says="1.2"),
        supplies=PLENTY,
        results=RESULTS + "anc d-1 1.2\nwbc d-1 3.1",
        circumstances=KINDS + "ben yes d-900",
    ),
    vignette(
        "level 0.15: low, and the dose is not cut",
        Must("CLZ_LEVEL_SMOKING", says="0.15", never="75%"),
        supplies=PLENTY,
        results=RESULTS + "clozapine_level d-10 0.15",
    ),
    vignette(
        "stopped smoking five days ago",
        Must("CLZ_LEVEL_SMOKING", does="75%"),
        supplies=PLENTY,
        circumstances=KINDS + "smoking smoker d-900\nsmoking stopped d-5",
    ),
    vignette(
        "hyoscine with it and no laxative",
        Must("CLZ_GI_HYPOMOTILITY", says="hyoscine"),
        supplies=PLENTY + "\n" + every("hyoscine_hydrobromide", 28, 200, 8),
    ),
    vignette(
        "erythromycin started three days ago",
        Must("INTERACTION_NEW", says="erythromycin"),
        supplies=PLENTY + "\nerythromycin d-3 7",
    ),
]
PREGNANCY_AND_VALPROATE: list[Vignette] = [
    vignette(
        f"pregnant by {system} {code}, taking {medicine}",
        Must(gap, "", "pregnancy recorded"),
        patients=WOMAN,
        supplies=HEAD + every(medicine, 28, 500, 8),
        conditions=CODED + f"diagnosis {system} {code} x d-30",
    )
    for system, code, medicine, gap in (
        ("icd10", "Z33", "topiramate", "PREGNANCY_RISK"),
        ("icd10", "O26.9", "lithium", "PREGNANCY_RISK"),
        ("snomed", "77386006", "carbamazepine", "PREGNANCY_RISK"),
        ("icd10", "Z34.0", "valproate", "VALPROATE_PPP"),
    )
] + [
    vignette(
        "man of 30 on valproate for three years, never advised",
        Must("VALPROATE_PPP", "medium", "contraception"),
        not_found=("VALPROATE_PPP:two specialist",),
        patients=MAN,
        supplies=HEAD + every("valproate", 28, 1095, 8),
    ),
    vignette(
        "woman of 75 on valproate for years: no programme",
        not_found=("VALPROATE_PPP",),
        patients=OLD,
        supplies=HEAD + every("valproate", 28, 1095, 8),
    ),
]
OTHERS: list[Vignette] = [
    vignette(
        "allergy to haloperidol, haloperidol decanoate given",
        Must("ALLERGY_CONFLICT", "critical", "haloperidol"),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 10),
        conditions="category system code label recorded_on\nallergy - - haloperidol d-90",
    ),
    *(
        vignette(
            f"allergy to {label.replace('_', ' ')}, {medicine} supplied",
            Must("ALLERGY_CONFLICT", "critical", medicine),
            supplies=HEAD + every(medicine, 28, 200, 8),
            conditions=f"category system code label recorded_on\nallergy - - {label} d-90",
        )
        for label, medicine in (
            ("Prozac", "fluoxetine"),
            ("Solian_tablets", "amisulpride"),
            ("Xeplion", "paliperidone"),
            ("Li_liquid", "lithium"),
            ("non-steroidal_anti-inflammatory_drugs", "ibuprofen"),
        )
    ),
    vignette(
        "no known allergies recorded and olanzapine taken: no conflict",
        not_found=("ALLERGY_CONFLICT", "ALLERGY_NOT_RECORDED"),
        supplies=HEAD + every("olanzapine", 28, 200, 8),
        conditions="category system code label recorded_on\nallergy snomed 716186003 x d-90",
    ),
    vignette(
        "olanzapine prescribed and dispensed in two-week steps: no stock at home",
        not_found=("STOCK_AT_HOME", "SHARED_CARE_UNCLEAR"),
        supplies=KIND
        + every("olanzapine", 14, 300, 6, "prescribed")
        + "\n"
        + every("olanzapine", 14, 300, 6, "dispensed"),
    ),
    vignette(
        "zolpidem for three months, no review",
        Must("BZD_Z_PREGABALIN_LONG", says="zolpidem"),
        supplies=HEAD + every("zolpidem", 28, 90, 6),
    ),
    vignette(
        "procyclidine and olanzapine and amitriptyline together",
        Must("ANTICHOLINERGIC_BURDEN"),
        supplies=both("olanzapine", "amitriptyline") + "\n" + every("procyclidine", 28, 200, 1),
    ),
    vignette(
        "aripiprazole and risperidone for 70 days",
        Must("ANTIPSYCHOTIC_POLYPHARMACY"),
        supplies=HEAD + every("aripiprazole", 28, 70, 10) + "\n" + every("risperidone", 28, 70, 10),
    ),
    vignette(
        "discharged yesterday: reconciliation and follow-up to do, neither is late",
        Must("POST_DISCHARGE_RECONCILE", "medium", "no 72-hour follow-up recorded"),
        not_found=("POST_DISCHARGE_RECONCILE:overdue",),
        supplies=HEAD + every("olanzapine", 28, 200, 8),
        stays="admitted_on discharged_on method ward\nd-40 d-1 emergency acute",
    ),
    vignette(
        "lithium started nine days ago and no level",
        Must("LI_LEVEL_OVERDUE"),
        supplies=HEAD + "lithium d-23 28",
    ),
    vignette(
        "lithium at 71, last level 110 days ago, year four",
        Must("LI_LEVEL_OVERDUE", says="higher-risk"),
        patients=OLD,
        supplies=HEAD + every("lithium", 28, 1400, 8),
        results=RESULTS + "lithium_level d-135 0.6",
    ),
    vignette(
        "everything in order on risperidone: no safety gap",
        not_found=("SAFETY",),
        patients=MAN,
        supplies=HEAD + every("risperidone", 28, 90, 6),
        results=RESULTS
        + "qtc d-60 410\nprolactin d-60 200\nweight d-10 80\nsystolic_bp d-10 120\ndiastolic_bp d-10 75",
        contacts=SEEN,
    ),
]

VIGNETTES = [
    *STOPPED,
    *TOGETHER,
    *RESULTS_OF_HARM,
    *STOPPED_SUDDENLY,
    *DOSES,
    *DEPOTS,
    *CLOZAPINE,
    *PREGNANCY_AND_VALPROATE,
    *OTHERS,
]
