"""A fourth round: pairs that no longer overlap, restarts after a red count, kidneys and injections, pregnancies that
ended, tablets beside a depot, and words for smoking, allergy and diagnoses that the rounds before did not use.

The answers were written before the rules were run.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette
from tests.spec.gaps.vignettes_other_inputs import CODED, DEPOT, DOSED, HEAD, KINDS, RESULTS, SEEN, both, depots, dosed
from tests.spec.gaps.vignettes_third_round import MAN, OLD, PLENTY, PSYCHOSIS, WOMAN

REQUIRED = "medicine supplied_on days_supplied daily_dose_mg as_required\n"
INJECTED = "medicine supplied_on interval_days kind dose_mg days_supplied daily_dose_mg as_required\n"
GREEN = "anc d-5 3.9\nwbc d-5 6.1"

WASHOUT: list[Vignette] = [
    vignette(
        f"{first} for a year, last in hand {ago} days ago, {then} from {began} days ago: the washout is {days} days",
        Must("INTERACTION_NEW", "critical", f"{first}.*{then}|{then}.*{first}"),
        supplies=HEAD + every(first, 28, 364 + ago, ago + 28) + f"\n{then} d-{began} 28",
    )
    for first, ago, then, began, days in (
        ("phenelzine", 10, "sertraline", 4, 14),
        ("tranylcypromine", 12, "venlafaxine", 6, 14),
        ("fluoxetine", 24, "phenelzine", 3, 35),
        ("isocarboxazid", 9, "methylphenidate", 2, 14),
        ("phenelzine", 8, "clomipramine", 1, 14),
    )
] + [
    vignette(
        f"{first} last in hand {ago} days ago, {then} from {began} days ago: long enough",
        not_found=("INTERACTION_NEW", "INTERACTION_STANDING"),
        supplies=HEAD + every(first, 28, 364 + ago, ago + 28) + f"\n{then} d-{began} 28",
    )
    for first, ago, then, began in (
        ("phenelzine", 24, "sertraline", 4),
        ("fluoxetine", 50, "phenelzine", 3),
        ("sertraline", 30, "phenelzine", 3),
        ("fluoxetine", 20, "olanzapine", 3),
    )
]
CLOZAPINE: list[Vignette] = [
    vignette(
        "supplied again after a red count of last winter and two greens: no exposure again",
        Must("CLZ_RESULT_RED_AMBER", "critical", "d-198", does="non-rechallenge|monitoring service"),
        supplies=HEAD + every("clozapine", 28, 900, 205) + "\n" + every("clozapine", 7, 20, 6),
        results=RESULTS
        + "anc d-198 1.2\nwbc d-198 2.6\nanc d-190 3.1\nwbc d-190 5.0\nanc d-185 3.3\nwbc d-185 5.2\n"
        + GREEN.replace("d-5", "d-2"),
    ),
    vignette(
        "a red count before clozapine was ever begun is no exposure again",
        not_found=("CLZ_RESULT_RED_AMBER",),
        supplies=HEAD + every("clozapine", 28, 400, 8),
        results=RESULTS + "anc d-600 1.4\nwbc d-600 3.6\nanc d-404 3.3\nwbc d-404 5.2\n" + GREEN,
    ),
    *(
        vignette(
            f"{medicine} started six days ago: a level",
            Must("CLZ_LEVEL_SMOKING", "medium", medicine, does="[Ll]evel"),
            supplies=PLENTY + f"\n{medicine} d-6 28",
            results=RESULTS + "clozapine_level d-60 0.45",
        )
        for medicine in ("fluoxetine", "paroxetine", "clarithromycin")
    ),
    vignette(
        "fluvoxamine beside it for a year ran out five days ago: the level falls",
        Must("CLZ_LEVEL_SMOKING", says="fluvoxamine.*(ended|stopped|ran out)", never="75%|lower dose"),
        supplies=PLENTY + "\n" + every("fluvoxamine", 28, 397, 33),
        results=RESULTS + "clozapine_level d-60 0.45",
    ),
    vignette(
        "a smoker who cut down, without a number: reduced, not stopped",
        Must("CLZ_LEVEL_SMOKING", "high", "smoking reduced", does="75%"),
        supplies=PLENTY,
        circumstances=KINDS + "smoking smoker d-900\nsmoking cut_down d-9",
    ),
    vignette(
        "non-smoker for years, recorded again last week: nothing changed",
        not_found=("CLZ_LEVEL_SMOKING:smoking",),
        supplies=PLENTY,
        results=RESULTS + "clozapine_level d-60 0.45",
        circumstances=KINDS + "smoking non-smoker d-900\nsmoking ex-smoker d-9",
    ),
    vignette(
        "an amber count four days ago and none since: counted every 3 days",
        Must("CLZ_FBC_OVERDUE", says="every 3 days"),
        supplies=PLENTY,
        results=RESULTS + "anc d-4 1.8\nwbc d-4 4.1\nanc d-30 3.9\nwbc d-30 6.1",
        circumstances=KINDS + "ben not_registered d-300",
    ),
    vignette(
        "a count of 1.8 in somebody with Duffy null recorded: green",
        not_found=("CLZ_RESULT_RED_AMBER", "CLZ_FBC_OVERDUE"),
        supplies=PLENTY,
        results=RESULTS + "anc d-4 1.8\nwbc d-4 3.4",
        circumstances=KINDS + "ben duffy_null d-900",
    ),
    vignette(
        "restarted nine days ago after nine days without, no count since the break",
        Must("CLZ_FBC_OVERDUE", says="break|weekly|every 7"),
        supplies=HEAD + every("clozapine", 28, 1054, 46) + "\nclozapine d-9 14",
        results=RESULTS + "anc d-20 3.9\nwbc d-20 6.1",
    ),
    vignette(
        "supplied again four days ago at the full dose after twelve days without: titrated again?",
        Must("CLZ_BREAK", "high", "300 mg a day, 12 days after.*no ECG", does="titrated again"),
        supplies=DOSED + every("clozapine", 28, 604, 44, "300") + "\nclozapine d-4 28 300",
    ),
    vignette(
        "supplied again four days ago at 25 mg after twelve days without: it was titrated again",
        not_found=("CLZ_BREAK",),
        supplies=DOSED + every("clozapine", 28, 604, 44, "300") + "\nclozapine d-4 14 25",
    ),
    vignette(
        "supplied again four days ago after twelve days without, the dose not recorded",
        Must("CLZ_BREAK", "high", "dose not recorded, 12 days after"),
        supplies=DOSED + every("clozapine", 28, 604, 44, "300") + "\nclozapine d-4 28 -",
    ),
    vignette(
        "supplied again four days ago, two days late: no break",
        not_found=("CLZ_BREAK",),
        supplies=DOSED + every("clozapine", 28, 594, 34, "300") + "\nclozapine d-4 28 300",
    ),
    vignette(
        "clozapine with methotrexate for half a year",
        Must("INTERACTION_STANDING", "critical", "methotrexate"),
        supplies=both("clozapine", "methotrexate"),
    ),
]
LITHIUM: list[Vignette] = [
    vignette(
        "ramipril for two years stopped three weeks ago, level two months ago: a level after the stop",
        Must("LI_LEVEL_OVERDUE", says="d-62"),
        supplies=HEAD + every("lithium", 28, 1400, 8) + "\n" + every("ramipril", 28, 749, 49),
        results=RESULTS + "lithium_level d-62 0.7",
    ),
    vignette(
        "a week of naproxen that ended two weeks ago, no level since",
        Must("LI_LEVEL_OVERDUE", says="d-80"),
        supplies=HEAD + every("lithium", 28, 1400, 8) + "\nnaproxen d-21 7",
        results=RESULTS + "lithium_level d-80 0.7",
    ),
    vignette(
        "paracetamol with lithium is nothing",
        not_found=("INTERACTION_NEW", "INTERACTION_STANDING"),
        supplies=HEAD + every("lithium", 28, 1400, 8) + "\nparacetamol d-5 28",
    ),
    vignette(
        "bipolar on lithium alone for years, no antipsychotic ever",
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=HEAD + every("lithium", 28, 1400, 8),
        conditions=CODED + "diagnosis icd10 F31.7 x d-1500",
        contacts=SEEN,
    ),
    vignette(
        "lithium 1.7 last month and 0.7 last week: over",
        not_found=("LI_LEVEL_ABNORMAL:1.7",),
        supplies=HEAD + every("lithium", 28, 1400, 8),
        results=RESULTS + "lithium_level d-30 1.7\nlithium_level d-7 0.7",
    ),
]
KIDNEYS: list[Vignette] = [
    vignette(
        "paliperidone depot and an eGFR of 34",
        Must("DOSE_ABOVE_MAXIMUM", "high", "34", never="now by the product"),
        supplies=DEPOT + depots("paliperidone_palmitate_1-monthly_injection", 28, 10),
        results=RESULTS + "egfr d-40 34",
    ),
    vignette(
        "paliperidone depot and an eGFR of 88",
        not_found=("DOSE_ABOVE_MAXIMUM",),
        supplies=DEPOT + depots("paliperidone_palmitate_1-monthly_injection", 28, 10),
        results=RESULTS + "egfr d-40 88",
    ),
    vignette(
        "pregabalin 450 mg and an eGFR of 41",
        Must("DOSE_ABOVE_MAXIMUM", "high", "300 mg"),
        supplies=dosed("pregabalin", 450),
        results=RESULTS + "egfr d-40 41",
    ),
    vignette(
        "duloxetine 60 mg and an eGFR of 22, 55 a year before",
        Must("DOSE_ABOVE_MAXIMUM", "high", "avoided"),
        supplies=dosed("duloxetine", 60),
        results=RESULTS + "egfr d-400 55\negfr d-20 22",
    ),
    vignette(
        "amisulpride 800 mg, an eGFR of 38 two years ago and 75 last month: the last one counts",
        not_found=("DOSE_ABOVE_MAXIMUM",),
        supplies=dosed("amisulpride", 800),
        results=RESULTS + "egfr d-700 38\negfr d-30 75",
    ),
]
PREGNANCY: list[Vignette] = [
    *(
        vignette(
            f"pregnancy of last summer ended by {code} two months ago, taking {medicine}",
            not_found=("PREGNANCY_RISK:pregnancy recorded", "VALPROATE_PPP:pregnancy"),
            patients=WOMAN,
            supplies=HEAD + every(medicine, 28, 500, 8),
            conditions=CODED + f"diagnosis icd10 Z34.9 x d-280\ndiagnosis icd10 {code} x d-60",
        )
        for code, medicine in (("O80", "lithium"), ("O03.9", "topiramate"), ("Z37.0", "valproate"), ("O04", "lithium"))
    ),
    vignette(
        "a delivery two years ago and pregnant again",
        Must("PREGNANCY_RISK", "critical", "d-50"),
        patients=WOMAN,
        supplies=HEAD + every("lithium", 28, 500, 8),
        conditions=CODED + "diagnosis icd10 O80 x d-720\ndiagnosis icd10 Z34.0 x d-50",
    ),
    vignette(
        "mental illness complicating pregnancy, O99.3, lithium",
        Must("PREGNANCY_RISK", "critical"),
        patients=WOMAN,
        supplies=HEAD + every("lithium", 28, 500, 8),
        conditions=CODED + "diagnosis icd10 O99.3 x d-30",
    ),
    vignette(
        "recorded as male, childbearing potential yes, valproate for years: the annual form",
        Must("VALPROATE_PPP", "high", "annual risk form"),
        patients=MAN,
        supplies=HEAD + every("valproate", 28, 1095, 8),
        circumstances=KINDS + "childbearing_potential wocbp d-300",
    ),
    vignette(
        "woman of 31, hysterectomy recorded, valproate for years: no programme",
        not_found=("VALPROATE_PPP",),
        patients=WOMAN,
        supplies=HEAD + every("valproate", 28, 1095, 8),
        circumstances=KINDS + "childbearing_potential hysterectomy d-300",
    ),
    vignette(
        "man of 30 whose Epilim began six weeks ago, one specialist only",
        Must("VALPROATE_PPP", "high", "two specialists"),
        patients=MAN,
        supplies=HEAD + "Epilim_Chrono d-42 28\nEpilim_Chrono d-14 28",
    ),
]
DOSES: list[Vignette] = [
    vignette(
        "olanzapine 15 mg and 10 mg more when needed",
        Must("HDAT", says="125"),
        supplies=REQUIRED + every("olanzapine", 28, 200, 1, "15 false") + "\nolanzapine d-10 28 10 true",
    ),
    vignette(
        "regular olanzapine ran out 40 days ago, olanzapine when needed collected last week: it ran out all the same",
        Must("SUPPLY_GAP_ORAL", says="40 days ago"),
        supplies=REQUIRED + every("olanzapine", 28, 404, 68, "10 false") + "\nolanzapine d-7 28 5 true",
    ),
    vignette(
        "schizophrenia, olanzapine for years and lately also when needed: it is taken",
        not_found=("NO_ANTIPSYCHOTIC", "REGIMEN_CHANGE_RECENT", "ANTICHOLINERGIC_BURDEN", "STOCK_AT_HOME"),
        supplies=REQUIRED + every("olanzapine", 28, 904, 8, "10 false") + "\nolanzapine d-5 14 5 true",
        conditions=PSYCHOSIS,
    ),
    vignette(
        "lithium with ibuprofen for years, and ibuprofen when needed since last week: no new pair, and one line",
        Must("INTERACTION_STANDING", says="^(?!.*ibuprofen.*ibuprofen).*ibuprofen"),
        not_found=("INTERACTION_NEW",),
        supplies="medicine supplied_on days_supplied as_required\n"
        + every("lithium", 28, 904, 8, "false")
        + "\n"
        + every("ibuprofen", 28, 904, 8, "false")
        + "\nibuprofen d-5 14 true",
    ),
    vignette(
        "lorazepam 2 mg every day and 4 mg more when needed: 6 mg of at most 4",
        Must("DOSE_ABOVE_MAXIMUM", says="lorazepam 6 mg"),
        supplies=REQUIRED + every("lorazepam", 28, 200, 8, "2 false") + "\nlorazepam d-9 28 4 true",
    ),
    vignette(
        "haloperidol decanoate 200 mg every 4 weeks and haloperidol 10 mg by mouth: one medicine, above its maximum",
        Must("HDAT", says="haloperidol"),
        not_found=("ANTIPSYCHOTIC_POLYPHARMACY",),
        supplies=INJECTED
        + "\n".join(
            f"haloperidol_decanoate_injection d-{ago} 28 administered 200 - - false" for ago in range(206, 9, -28)
        )
        + "\n"
        + "\n".join(f"haloperidol d-{ago} - dispensed - 28 10 false" for ago in range(204, 7, -28)),
    ),
    vignette(
        "zuclopenthixol decanoate 600 mg a week, its maximum, and haloperidol 5 mg when needed",
        Must("HDAT", says="as required"),
        supplies=INJECTED
        + "\n".join(
            f"zuclopenthixol_decanoate_injection d-{ago} 7 administered 600 - - false" for ago in range(103, 4, -7)
        )
        + "\nhaloperidol d-9 - dispensed - 28 5 true",
    ),
    vignette(
        "promethazine and lorazepam when needed beside olanzapine 20 mg: not high dose",
        not_found=("HDAT",),
        supplies=REQUIRED
        + every("olanzapine", 28, 200, 1, "20 false")
        + "\npromethazine d-9 28 50 true\nlorazepam d-9 28 2 true",
    ),
]
INJECTIONS: list[Vignette] = [
    vignette(
        "paliperidone depot last given 50 days ago, olanzapine tablets from 30 days ago: was it changed?",
        Must("LAI_OVERDUE", says="olanzapine", does="changed"),
        supplies="medicine supplied_on interval_days kind days_supplied\n"
        + "\n".join(
            f"paliperidone_palmitate_1-monthly_injection d-{ago} 28 administered -" for ago in range(246, 49, -28)
        )
        + "\nolanzapine d-30 - dispensed 28\nolanzapine d-2 - dispensed 28",
    ),
    vignette(
        "risperidone ISM begun ten days ago: no tablets and no second dose are asked for",
        not_found=("LAI_SAFE_USE", "LAI_OVERDUE"),
        supplies=DEPOT + "risperidone_ISM_injection d-10 28 administered",
    ),
    vignette(
        "olanzapine embonate yesterday, observed until the evening",
        not_found=("LAI_SAFE_USE",),
        supplies=DEPOT + depots("olanzapine_embonate_injection", 14, 1),
        results=RESULTS + "post_injection_observation d-1 -",
    ),
    vignette(
        "olanzapine embonate three times, the second of them not observed, the last observed",
        not_found=("LAI_SAFE_USE",),
        supplies=DEPOT + depots("olanzapine_embonate_injection", 14, 4, 3),
        results=RESULTS + "post_injection_observation d-32 -\npost_injection_observation d-4 -",
    ),
    vignette(
        "Byannli given 190 days ago, every 182",
        Must("LAI_OVERDUE", says="8 days past due"),
        supplies=DEPOT + "paliperidone_palmitate_6-monthly_injection d-372 182 administered\n"
        "paliperidone_palmitate_6-monthly_injection d-190 182 administered",
    ),
]
UNTREATED: list[Vignette] = [
    vignette(
        "risperidone ended 120 days ago, prochlorperazine for vertigo since, schizophrenia",
        Must("NO_ANTIPSYCHOTIC", says="risperidone"),
        supplies=HEAD + every("risperidone", 28, 700, 148) + "\nprochlorperazine d-20 28",
        conditions=PSYCHOSIS,
        contacts=SEEN,
    ),
    vignette(
        "clozapine tried and given up two years ago, two others since, admitted: it was offered",
        not_found=("TRS_NO_CLOZAPINE",),
        supplies=HEAD
        + every("clozapine", 28, 1500, 800)
        + "\n"
        + every("olanzapine", 28, 700, 430)
        + "\n"
        + every("risperidone", 28, 380, 8),
        conditions=CODED + "diagnosis icd10 F20.0 x d-2000",
        stays="admitted_on discharged_on method ward\nd-200 d-170 emergency acute",
    ),
    vignette(
        "psychotic depression, F33.3, olanzapine for years and no check ever: a severe mental illness",
        Must("MONITORING_NEVER_DONE"),
        supplies=HEAD + every("olanzapine", 28, 1000, 8),
        conditions=CODED + "diagnosis icd10 F33.3 x d-1200",
    ),
    vignette(
        "Alzheimer's disease as G30.9, haloperidol decanoate",
        Must("ANTIPSYCHOTIC_NEED", "high", "dementia"),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 10),
        patients=OLD,
        conditions=CODED + "diagnosis icd10 G30.9 x d-400",
    ),
]
OTHERS: list[Vignette] = [
    vignette(
        "Priadel for years, Nurofen since three days",
        Must("INTERACTION_NEW", "high", "ibuprofen"),
        supplies=HEAD + every("Priadel", 28, 400, 8) + "\nNurofen d-3 28",
    ),
    vignette(
        "allergy recorded as Clozaril: myocarditis, clozapine supplied",
        Must("ALLERGY_CONFLICT", "critical", "clozapine"),
        supplies=PLENTY,
        conditions="category system code label recorded_on\nallergy - - Clozaril:_myocarditis d-90",
    ),
    vignette(
        "positive pregnancy test, lithium",
        Must("PREGNANCY_RISK", "critical"),
        patients=WOMAN,
        supplies=HEAD + every("lithium", 28, 500, 8),
        results=RESULTS + "pregnancy_status d-20 1",
    ),
    vignette(
        "autism confirmed, risperidone, no psychosis coded: STOMP review",
        Must("ANTIPSYCHOTIC_NEED", "medium"),
        patients="birth_date sex autism\n1995-05-05 male confirmed",
        supplies=HEAD + every("risperidone", 28, 500, 8),
    ),
    vignette(
        "olanzapine changed to aripiprazole five weeks ago: a switch",
        not_found=("SUPPLY_GAP_ORAL", "NO_ANTIPSYCHOTIC", "ANTIPSYCHOTIC_POLYPHARMACY"),
        supplies=HEAD + every("olanzapine", 28, 592, 60) + "\n" + every("aripiprazole", 28, 36, 8),
        conditions=PSYCHOSIS,
    ),
    vignette(
        "lamotrigine supplied again four days ago after four weeks without, at the full dose: titrated again?",
        Must("SUPPLY_GAP_ORAL", "high", "28 days after supply ran out: risk of serious rash", does="titrate"),
        supplies=DOSED + every("lamotrigine", 28, 620, 60, "200") + "\nlamotrigine d-4 28 200",
    ),
    vignette(
        "lamotrigine supplied again at 25 mg after four weeks without: it was titrated again",
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=DOSED + every("lamotrigine", 28, 620, 60, "200") + "\nlamotrigine d-4 14 25",
    ),
    vignette(
        "lamotrigine collected two days late last week",
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=DOSED + every("lamotrigine", 28, 596, 36, "200") + "\nlamotrigine d-6 28 200",
    ),
    *(
        vignette(
            f"allergy to {label.replace('_', ' ')}, {medicine} supplied",
            Must("ALLERGY_CONFLICT", "critical", medicine),
            supplies=HEAD + every(medicine, 28, 200, 8),
            conditions=f"category system code label recorded_on\nallergy - - {label} d-90",
        )
        for label, medicine in (
            ("NSAIDs", "aspirin"),
            ("Aspirin_-_bronchospasm", "ibuprofen"),
            ("butyrophenones", "haloperidol"),
            ("Thioxanthenes", "zuclopenthixol"),
            ("phenothiazines_(rash)", "fluphenazine"),
            ("SNRI", "venlafaxine"),
            ("MAOIs", "phenelzine"),
        )
    ),
    *(
        vignette(
            f"{one} with {two} and no ECG",
            Must("BP_PULSE_QTC", "high"),
            supplies=both(one, two),
        )
        for one, two in (
            ("hydroxyzine", "citalopram"),
            ("haloperidol", "ondansetron"),
        )
    ),
    vignette(
        "amisulpride with amiodarone and no ECG: the table does not forbid the pair",
        Must("BP_PULSE_QTC", "medium", "amiodarone"),
        supplies=both("amisulpride", "amiodarone"),
    ),
    vignette(
        "erythromycin with sulpiride for long and no ECG: only one of them is listed as lengthening the QT interval",
        Must("INTERACTION_STANDING", "high", "ECG not recorded"),
        supplies=both("erythromycin", "sulpiride"),
    ),
    vignette(
        "QTc of 465 in a woman on quetiapine",
        not_found=("BP_PULSE_QTC:465",),
        patients=WOMAN,
        supplies=HEAD + every("quetiapine", 28, 500, 8),
        results=RESULTS + "qtc d-20 465",
    ),
    vignette(
        "potassium 2.9 on haloperidol",
        Must("BP_PULSE_QTC", says="2.9"),
        supplies=HEAD + every("haloperidol", 28, 500, 8),
        results=RESULTS + "potassium d-3 2.9\nqtc d-90 410",
    ),
    vignette(
        "amitriptyline alone at 75",
        Must("ANTICHOLINERGIC_BURDEN", "medium", "amitriptyline"),
        patients=OLD,
        supplies=HEAD + every("amitriptyline", 28, 500, 8),
    ),
    vignette(
        "sodium 122 last year and 139 since, on sertraline: over",
        not_found=("RESULT_DANGEROUS",),
        supplies=HEAD + every("sertraline", 28, 900, 8),
        results=RESULTS + "sodium d-300 122\nsodium d-250 139",
    ),
    vignette(
        "temazepam changed to zopiclone last month, which is in hand: no stop",
        not_found=("WITHDRAWAL_RISK",),
        supplies=HEAD + every("temazepam", 28, 592, 60) + "\n" + every("zopiclone", 28, 32, 4),
    ),
    vignette(
        "lamotrigine with a combined contraceptive pill for half a year",
        Must("INTERACTION_STANDING", says="lamotrigine"),
        patients=WOMAN,
        supplies=both("lamotrigine", "ethinylestradiol_with_levonorgestrel"),
    ),
]

VIGNETTES = [
    *WASHOUT,
    *CLOZAPINE,
    *LITHIUM,
    *KIDNEYS,
    *PREGNANCY,
    *DOSES,
    *INJECTIONS,
    *UNTREATED,
    *OTHERS,
]
