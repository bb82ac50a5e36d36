"""The kinds of the review once more, with inputs that it did not give: another medicine of the class, another code
system, a brand name, a comparator, another clock, an age, a restart.

The answers were written before the rules were run, from the review and the reference tables.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
KIND = "medicine supplied_on days_supplied kind\n"
DOSED = "medicine supplied_on days_supplied daily_dose_mg\n"
KINDS = "kind value from_on\n"
RESULTS = "test taken_on value\n"
CODED = "category system code label recorded_on\n"
DEPOT = "medicine supplied_on interval_days kind\n"
SEEN = "contact_on kind\nd-7 routine"
COUNTED = RESULTS + "anc d-5 3.9\nwbc d-5 6.1"


def depots(medicine: str, apart: int, last: int, times: int = 8) -> str:
    return "\n".join(f"{medicine} d-{last + apart * n} {apart} administered" for n in reversed(range(times)))


def both(one: str, two: str, days: int = 200) -> str:
    return HEAD + every(one, 28, days, 1) + "\n" + every(two, 28, days, 1)


def dosed(medicine: str, dose: float, days: int = 200) -> str:
    return DOSED + every(medicine, 28, days, 1, f"{dose:g}")


CLOZAPINE = HEAD + every("clozapine", 28, 1100, 8)

NEVER_SILENT: list[Vignette] = [
    vignette(
        "amisulpride ended 200 days ago, schizoaffective disorder in SNOMED CT",
        Must("NO_ANTIPSYCHOTIC", "high", "amisulpride"),
        supplies=HEAD + every("amisulpride", 28, 700, 228),
        conditions=CODED + "diagnosis snomed 68890003 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "mania coded F30.2, aripiprazole ended 100 days ago",
        Must("NO_ANTIPSYCHOTIC", "", "aripiprazole"),
        supplies=HEAD + every("aripiprazole", 28, 700, 128),
        conditions=CODED + "diagnosis icd10 F30.2 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "olanzapine stopped 200 days ago and started again last week: treated",
        Must("REGIMEN_CHANGE_RECENT", "", "olanzapine"),
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=HEAD + every("olanzapine", 28, 700, 228) + "\nolanzapine d-6 28",
        conditions=CODED + "diagnosis icd10 F20.0 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "paliperidone depot ended 200 days ago, tablets of it ordered as required only",
        Must("NO_ANTIPSYCHOTIC", "", "paliperidone"),
        supplies="medicine supplied_on interval_days kind days_supplied as_required\n"
        + "\n".join(
            f"paliperidone_palmitate_1-monthly_injection d-{d} 28 administered - false" for d in range(400, 227, -28)
        )
        + "\nhaloperidol d-10 - dispensed 14 true",
        conditions=CODED + "diagnosis icd10 F20.0 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "zuclopenthixol depot known by administrations only, last 60 days ago",
        Must("LAI_OVERDUE", "", "d-60"),
        supplies=DEPOT + depots("zuclopenthixol_decanoate_injection", 14, 60),
        contacts=SEEN,
    ),
    vignette(
        "an injection given two days ago and not known yet is still overdue today",
        Must("LAI_OVERDUE", "", "d-44"),
        supplies="medicine supplied_on interval_days kind known_on\n"
        + "\n".join(
            f"flupentixol_decanoate_injection d-{44 + 14 * n} 14 administered d-{44 + 14 * n}"
            for n in reversed(range(6))
        )
        + "\nflupentixol_decanoate_injection d-2 14 administered d+3",
    ),
    *(
        vignette(
            f"{one} with {two} for half a year",
            Must("INTERACTION_STANDING", severity, two.replace("_", " ")),
            supplies=both(one, two),
        )
        for one, two, severity in (
            ("tranylcypromine", "fluoxetine", "critical"),
            ("clozapine", "haloperidol_decanoate_injection", "critical"),
            ("lithium", "indapamide", ""),
            ("paroxetine", "diclofenac", ""),
            ("isocarboxazid", "clomipramine", "critical"),
        )
    ),
    vignette(
        "lithium and celecoxib, the celecoxib four days old",
        Must("INTERACTION_NEW", "high", "celecoxib"),
        supplies=HEAD + every("lithium", 28, 400, 8) + "\ncelecoxib d-4 28",
    ),
    vignette(
        "lithium with candesartan since 40 days, level 100 days ago: overdue",
        Must("LI_LEVEL_OVERDUE", "", ""),
        supplies=HEAD + every("lithium", 28, 1500, 8) + "\ncandesartan d-40 56",
        results=RESULTS + "lithium_level d-100 0.7",
    ),
    vignette(
        "torasemide started with lithium five days ago",
        Must("INTERACTION_NEW", "", "torasemide"),
        supplies=HEAD + every("lithium", 28, 400, 8) + "\ntorasemide d-5 28",
    ),
    vignette(
        "a lithium level below 0.2 with its sign: low",
        Must("LI_LEVEL_ABNORMAL", "", "<0.2"),
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results="test taken_on value unit\nlithium_level d-10 <0.2 mmol/L",
    ),
    vignette(
        "haloperidol by mouth for years, ECG four years ago: overdue by name and date",
        Must("MONITORING_OVERDUE", "medium", "ECG: last recorded d-1460"),
        supplies=HEAD + every("haloperidol", 28, 1600, 8),
        results=RESULTS + "qtc d-1460 410",
    ),
    vignette(
        "risperidone, prolactin three years ago",
        Must("MONITORING_OVERDUE", "low", "prolactin: last recorded d-1095"),
        supplies=HEAD + every("risperidone", 28, 1600, 8),
        results=RESULTS + "prolactin d-1095 300",
    ),
    vignette(
        "carbamazepine sodium and blood count done 700 days ago",
        Must("MONITORING_OVERDUE", "", "d-700"),
        supplies=HEAD + every("carbamazepine", 28, 1600, 8),
        results=RESULTS + "fbc d-700 -\nlft d-700 -\nu_and_e d-700 -",
    ),
    vignette(
        "bipolar in SNOMED CT, quetiapine for years, checks 800 days ago",
        Must("MONITORING_NEVER_DONE", "", "annual physical health check"),
        supplies=HEAD + every("quetiapine", 28, 1600, 8),
        conditions=CODED + "diagnosis snomed 13746004 x d-1700",
        results=RESULTS
        + "weight d-800 80\nsystolic_bp d-800 120\nhba1c d-800 36\nlipids d-800 -\nalcohol_status d-800 -\n"
        + "smoking_status d-800 -\nannual_physical_health_check d-800 -",
    ),
    vignette(
        "lithium and a pregnancy in ICD-10",
        Must("PREGNANCY_RISK", "critical", "lithium"),
        patients="birth_date sex\n1994-05-05 female",
        supplies=HEAD + every("lithium", 28, 700, 8),
        conditions=CODED + "diagnosis icd10 Z34.0 x d-30",
    ),
    vignette(
        "topiramate in a woman of 28 whose childbearing potential is not recorded",
        Must("PREGNANCY_RISK", "", "topiramate"),
        patients="birth_date sex\n1997-05-05 female",
        supplies=HEAD + every("topiramate", 28, 200, 8),
    ),
    vignette(
        "duloxetine and a sodium of 122 in somebody of 78",
        Must("RESULT_DANGEROUS", "critical", "122"),
        patients="birth_date sex\n1947-05-05 female",
        supplies=HEAD + every("duloxetine", 28, 200, 8),
        results=RESULTS + "sodium d-3 122",
    ),
    vignette(
        "a creatine kinase of 12000 on a depot",
        Must("RESULT_DANGEROUS", "critical", "12000"),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 10),
        results=RESULTS + "ck d-2 12000",
    ),
    vignette(
        "carbamazepine level of 16",
        Must("RESULT_DANGEROUS", "", "16"),
        supplies=HEAD + every("carbamazepine", 28, 400, 8),
        results=RESULTS + "carbamazepine_level d-3 16",
    ),
    vignette(
        "allergy to olanzapine by its label, olanzapine embonate given",
        Must("ALLERGY_CONFLICT", "critical", "olanzapine"),
        supplies=DEPOT + depots("olanzapine_embonate_injection", 28, 10),
        conditions="category system code label recorded_on\nallergy - - olanzapine d-900",
    ),
    vignette(
        "escitalopram 20 mg at 70: above the maximum for this person, and the age is not named",
        Must("DOSE_ABOVE_MAXIMUM", "high", "escitalopram 20 mg"),
        patients="birth_date sex\n1955-05-05 male",
        supplies=dosed("escitalopram", 20),
    ),
    vignette(
        "citalopram 60 mg at 40",
        Must("DOSE_ABOVE_MAXIMUM", "high", "citalopram 60 mg"),
        patients="birth_date sex\n1985-05-05 male",
        supplies=dosed("citalopram", 60),
    ),
    vignette(
        "venlafaxine for two years ran out five days ago",
        Must("WITHDRAWAL_RISK", "", "venlafaxine"),
        supplies=HEAD + every("venlafaxine", 28, 733, 33),
    ),
    vignette(
        "diazepam for half a year ran out a week ago",
        Must("WITHDRAWAL_RISK", "", "diazepam"),
        supplies=HEAD + every("diazepam", 28, 203, 35),
    ),
    vignette(
        "lamotrigine ran out eight days ago: re-titrate",
        Must("SUPPLY_GAP_ORAL", "high", "lamotrigine", "titrat"),
        supplies=HEAD + every("lamotrigine", 28, 400, 36),
    ),
    vignette(
        "quetiapine supplied by trust and GP in turn for half a year",
        Must("SHARED_CARE_UNCLEAR", "", "quetiapine"),
        supplies="medicine supplied_on days_supplied prescriber\n"
        + "\n".join(f"quetiapine d-{d} 28 {'trust' if d % 56 == 4 else 'gp'}" for d in range(172, 3, -28)),
    ),
    vignette(
        "platelets of 70 on valproate",
        Must("RESULT_DANGEROUS", "high", "70"),
        supplies=HEAD + every("valproate", 28, 400, 8),
        results=RESULTS + "platelets d-2 70",
    ),
    vignette(
        "clozapine with solifenacin and no laxative",
        Must("CLZ_GI_HYPOMOTILITY", "", "solifenacin"),
        supplies=CLOZAPINE + "\n" + every("solifenacin", 28, 100, 8),
        results=COUNTED,
    ),
    vignette(
        "clozapine level of more than 2 with its sign is toxic",
        Must("CLZ_LEVEL_SMOKING", "critical", ">2"),
        supplies=CLOZAPINE,
        results="test taken_on value unit\nclozapine_level d-4 >2 mg/L\nanc d-5 3.9 10^9/L\nwbc d-5 6.1 10^9/L",
    ),
    vignette(
        "clozapine week 30, white cells and neutrophils of different days: the count is overdue",
        Must("CLZ_FBC_OVERDUE", "", ""),
        supplies=HEAD + every("clozapine", 14, 210, 1),
        results=RESULTS + "wbc d-40 6.1\nanc d-40 3.9\nwbc d-6 6.1\nanc d-9 3.9",
    ),
    vignette(
        "clozapine stopped ten days ago on purpose, counts after stopping are asked for",
        Must("CLZ_BREAK", "critical", ""),
        supplies=HEAD + every("clozapine", 28, 1100, 40),
        results=RESULTS + "wbc d-14 6.1\nanc d-14 3.9",
    ),
    vignette(
        "BEN recorded as registered in capitals: neutrophils 1.7 are green",
        not_found=("CLZ_RESULT_RED_AMBER",),
        supplies=CLOZAPINE,
        circumstances=KINDS + "benign_ethnic_neutropenia Registered d-700",
        results=RESULTS + "anc d-5 1.7\nwbc d-5 4.0",
    ),
    vignette(
        "smoker of 15 a day, now an ex-smoker since 12 days, on clozapine",
        Must("CLZ_LEVEL_SMOKING", "high", "smoking"),
        supplies=CLOZAPINE,
        circumstances=KINDS + "smoking 15_a_day d-800\nsmoking ex-smoker d-12",
        results=RESULTS + "clozapine_level d-100 0.4\nanc d-5 3.9\nwbc d-5 6.1",
    ),
    vignette(
        "amitriptyline with oxybutynin at 72: burden",
        Must("ANTICHOLINERGIC_BURDEN", "medium", "oxybutynin"),
        patients="birth_date sex\n1953-05-05 female",
        supplies=both("amitriptyline", "oxybutynin"),
    ),
    vignette(
        "aripiprazole depot: second injection 40 days ago, every 28 days: past five weeks",
        Must("LAI_OVERDUE", "critical", "past the product"),
        supplies=DEPOT + "\n".join(f"aripiprazole_1-monthly_injection d-{d} 28 administered" for d in (68, 40)),
    ),
    vignette(
        "risperidone microspheres first given 5 days ago and no tablets",
        Must("LAI_SAFE_USE", "", "risperidone"),
        supplies=DEPOT + "risperidone_microspheres_injection d-5 14 administered",
    ),
    vignette(
        "community treatment order for three months, form CTO11 of last year before it",
        Must("CTO_TREATMENT_FORM", "medium", "no form"),
        supplies=DEPOT + depots("flupentixol_decanoate_injection", 14, 5),
        circumstances=KINDS + "community_treatment_order yes d-90\ncto11 yes d-400",
    ),
    vignette(
        "hostel, on lithium: storage to plan",
        Must("LIVING_SITUATION", "medium", "lithium"),
        supplies=HEAD + every("lithium", 28, 400, 8),
        circumstances=KINDS + "housing hostel d-40",
    ),
    vignette(
        "a carer recorded two years ago and never spoken with",
        Must("LIVING_SITUATION", "low", "carer"),
        supplies=HEAD + every("olanzapine", 28, 400, 8),
        circumstances=KINDS + "carer sister d-730",
    ),
    vignette(
        "Alzheimer's disease in ICD-10 and haloperidol, never reviewed",
        Must("ANTIPSYCHOTIC_NEED", "high", "haloperidol"),
        patients="birth_date sex\n1940-05-05 female",
        supplies=HEAD + every("haloperidol", 28, 200, 8),
        conditions=CODED + "diagnosis icd10 G30.9 x d-700",
    ),
]

NEVER_NOISE: list[Vignette] = [
    vignette(
        "as-required lorazepam ran out: no withdrawal is claimed",
        not_found=("WITHDRAWAL_RISK", "SUPPLY_GAP_ORAL"),
        supplies="medicine supplied_on days_supplied as_required\nlorazepam d-200 14 true\nlorazepam d-100 14 true",
    ),
    vignette(
        "sertraline changed to mirtazapine two weeks ago: a switch, no sudden stop",
        not_found=("WITHDRAWAL_RISK",),
        supplies=HEAD + every("sertraline", 28, 448, 42) + "\nmirtazapine d-14 28",
    ),
    vignette(
        "quetiapine 750 mg is its maximum: not high dose",
        not_found=("HDAT",),
        supplies=dosed("quetiapine", 750),
    ),
    vignette(
        "paliperidone 150 mg monthly is its maximum: not high dose",
        not_found=("HDAT",),
        supplies="medicine supplied_on interval_days dose_mg kind\n"
        + "\n".join(
            f"paliperidone_palmitate_1-monthly_injection d-{d} 28 150 administered" for d in range(230, 5, -28)
        ),
    ),
    vignette(
        "a new brand of the same lithium is no start and no stop",
        not_found=("REGIMEN_CHANGE_RECENT", "LI_LEVEL_ABNORMAL"),
        supplies=HEAD + every("lithium", 28, 400, 36) + "\npriadel d-8 28",
        results=RESULTS + "lithium_level d-20 0.7",
    ),
    vignette(
        "valproate in a woman of 60: no form is asked for",
        not_found=("VALPROATE_PPP", "PREGNANCY_RISK"),
        patients="birth_date sex\n1965-05-05 female",
        supplies=HEAD + every("valproate", 28, 1500, 8),
    ),
    vignette(
        "in hospital since three weeks: the ward supplies",
        not_found=("SUPPLY_GAP_ORAL", "NO_CONTACT", "LAI_OVERDUE"),
        supplies=HEAD + every("olanzapine", 28, 400, 48),
        stays="admitted_on discharged_on method ward\nd-21 - emergency acute",
    ),
    vignette(
        "seen by two teams, one of them last week: contact is contact",
        not_found=("NO_CONTACT", "DNA_PATTERN"),
        referrals="opened_on team_id\nd-900 t1\nd-300 t2",
        contacts="contact_on kind outcome\nd-200 routine attended\nd-7 routine attended",
    ),
    vignette(
        "haloperidol as required and clozapine alone: no combination",
        not_found=("ANTIPSYCHOTIC_POLYPHARMACY",),
        supplies=CLOZAPINE,
        results=COUNTED,
    ),
    vignette(
        "clozapine brand changes: one course, no break",
        not_found=("CLZ_BREAK", "REGIMEN_CHANGE_RECENT"),
        supplies=HEAD + every("denzapine", 28, 400, 36) + "\nzaponex d-8 28",
        results=COUNTED,
    ),
    vignette(
        "weight loss of 6 kg is no gain",
        not_found=("METABOLIC_WORSENING",),
        supplies=HEAD + every("olanzapine", 28, 400, 8),
        results=RESULTS + "weight d-80 86\nweight d-5 80",
    ),
    vignette(
        "an HbA1c below 42 with its sign is no alarm",
        not_found=("METABOLIC_WORSENING",),
        supplies=HEAD + every("olanzapine", 28, 400, 8),
        results="test taken_on value unit\nhba1c d-5 <42 mmol/mol",
    ),
]

SECOND_ROUND: list[Vignette] = [
    vignette(
        "clozapine started 12 days ago and no count since the start: weekly, overdue",
        Must("CLZ_FBC_OVERDUE", "", "every 7 days"),
        supplies=HEAD + "clozapine d-12 14",
        results=RESULTS + "wbc d-15 6.1\nanc d-15 3.9",
    ),
    vignette(
        "clozapine year 3, count 30 days ago: overdue by two days",
        Must("CLZ_FBC_OVERDUE", "high", "every 28 days"),
        supplies=CLOZAPINE,
        results=RESULTS + "wbc d-30 6.1\nanc d-30 3.9",
    ),
    vignette(
        "white cells 3.2 with good neutrophils: amber by the white cells",
        Must("CLZ_RESULT_RED_AMBER", "high", "white cells 3.2.*amber|amber.*white cells 3.2"),
        supplies=CLOZAPINE,
        results=RESULTS + "anc d-3 3.1\nwbc d-3 3.2",
    ),
    vignette(
        "clozapine, CPMS, 90 hours without: a break, the counts not reset yet",
        Must("CLZ_BREAK", "critical", "not past 96"),
        supplies=HEAD + every("clozapine", 28, 1124, 60) + "\nclozapine d-31 28",
        circumstances=KINDS + "clozapine_service CPMS d-900",
        results=COUNTED,
    ),
    vignette(
        "clozapine stopped six weeks ago and started again ten days ago: a new start, weekly",
        Must("CLZ_FBC_OVERDUE", "", "every 7 days"),
        supplies=HEAD + every("clozapine", 28, 1100, 78) + "\nclozapine d-10 14",
        results=RESULTS + "wbc d-11 6.1\nanc d-11 3.9",
    ),
    vignette(
        "clozapine two days ago restarted smoking: level, and the dose is not lowered",
        Must("CLZ_LEVEL_SMOKING", "high", "started again", never="75%"),
        supplies=CLOZAPINE,
        circumstances=KINDS + "smoking non-smoker d-400\nsmoking smoker d-9",
        results=RESULTS + "clozapine_level d-100 0.4\nanc d-5 3.9\nwbc d-5 6.1",
    ),
    vignette(
        "covid recorded three days ago on clozapine: review now",
        Must("CLZ_LEVEL_SMOKING", "high", "infection"),
        supplies=CLOZAPINE,
        circumstances=KINDS + "infection covid-19 d-3",
        results=COUNTED,
    ),
    vignette(
        "fluvoxamine started with clozapine four days ago",
        Must("INTERACTION_NEW", "", "fluvoxamine"),
        supplies=CLOZAPINE + "\nfluvoxamine d-4 28",
        results=COUNTED,
    ),
    vignette(
        "lithium level 0.95 in somebody of 74: above the older target",
        Must("LI_LEVEL_ABNORMAL", "", "0.95"),
        patients="birth_date sex\n1951-05-05 male",
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results=RESULTS + "lithium_level d-10 0.95",
    ),
    vignette(
        "lithium level 2.1: critical",
        Must("LI_LEVEL_ABNORMAL", "critical", "2.1"),
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results=RESULTS + "lithium_level d-2 2.1",
    ),
    vignette(
        "lithium, TSH of 12",
        Must("LI_RENAL_THYROID_CALCIUM", "", "12"),
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results=RESULTS + "tsh d-20 12\nlithium_level d-20 0.6\negfr d-20 80\ncalcium_adjusted d-20 2.4",
    ),
    vignette(
        "lithium, eGFR fell from 80 to 62 within a year",
        Must("LI_RENAL_THYROID_CALCIUM", "", "fell from 80"),
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results=RESULTS + "egfr d-250 80\negfr d-10 62",
    ),
    vignette(
        "man of 30, valproate started 60 days ago: two specialists",
        Must("VALPROATE_PPP", "", "two specialists"),
        patients="birth_date sex\n1995-05-05 male",
        supplies=HEAD + every("valproate", 28, 60, 4),
    ),
    vignette(
        "sodium valproate in a pregnancy in SNOMED CT",
        Must("VALPROATE_PPP", "critical", "pregnancy recorded"),
        patients="birth_date sex\n1995-05-05 female",
        supplies=HEAD + every("valproate", 28, 700, 8),
        conditions=CODED + "diagnosis snomed 77386006 x d-40",
    ),
    vignette(
        "paliperidone 3-monthly, 85 days ago, every 84: not yet late enough to alarm",
        not_found=("LAI_OVERDUE:past the product", "NO_ANTIPSYCHOTIC"),
        supplies=DEPOT + depots("paliperidone_palmitate_3-monthly_injection", 84, 85),
        contacts=SEEN,
    ),
    vignette(
        "haloperidol decanoate 7 days early: nothing is late",
        not_found=("LAI_OVERDUE", "ADHERENCE_FALLING"),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 30, 6) + "\n"
        "haloperidol_decanoate_injection d-9 28 administered",
    ),
    vignette(
        "depot changed to tablets of another medicine, collected last week: treated",
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies="medicine supplied_on interval_days kind days_supplied\n"
        + "\n".join(f"flupentixol_decanoate_injection d-{120 + 14 * n} 14 administered -" for n in reversed(range(9)))
        + "\n"
        + "\n".join(f"olanzapine d-{d} - dispensed 28" for d in (110, 82, 54, 26)),
        conditions=CODED + "diagnosis icd10 F20.0 x d-900",
    ),
    vignette(
        "olanzapine 15 mg and zuclopenthixol depot above half: more than 100% together",
        Must("HDAT", "", "olanzapine 75%"),
        supplies="medicine supplied_on interval_days kind days_supplied daily_dose_mg dose_mg\n"
        + "\n".join(f"olanzapine d-{d} - dispensed 28 15 -" for d in (88, 60, 32, 4))
        + "\n"
        + "\n".join(f"zuclopenthixol_decanoate_injection d-{d} 7 administered - - 500" for d in range(60, 2, -7)),
    ),
    vignette(
        "QTc of 475 in a man: flagged",
        Must("BP_PULSE_QTC", "", "475"),
        patients="birth_date sex\n1975-05-05 male",
        supplies=HEAD + every("amisulpride", 28, 400, 8),
        results=RESULTS + "qtc d-10 475",
    ),
    vignette(
        "domperidone and haloperidol for long, never an ECG",
        Must("BP_PULSE_QTC", "high", "haloperidol, domperidone.*ECG not recorded"),
        supplies=both("haloperidol", "domperidone"),
    ),
    vignette(
        "weight up by 7.5% since olanzapine began",
        Must("METABOLIC_WORSENING", "high", "7.5%"),
        supplies=HEAD + every("olanzapine", 28, 300, 8),
        results=RESULTS + "weight d-305 80\nweight d-5 86",
    ),
    vignette(
        "olanzapine for three weeks and weight not taken since: overdue by name and date",
        Must("MONITORING_OVERDUE", "low", "weight or body mass index: last recorded d-26"),
        supplies=HEAD + "olanzapine d-25 28",
        results=RESULTS + "weight d-26 80",
    ),
    vignette(
        "pressure of 185 over 122 is an alarm today",
        Must("BP_PULSE_QTC", "critical", "185"),
        supplies=HEAD + every("olanzapine", 28, 400, 8),
        results=RESULTS + "systolic_bp d-1 185\ndiastolic_bp d-1 122",
    ),
    vignette(
        "missed the last three appointments",
        Must("DNA_PATTERN", "", ""),
        contacts="contact_on kind outcome\nd-100 routine attended\nd-60 routine did_not_attend\n"
        "d-40 routine did_not_attend\nd-12 routine did_not_attend",
        referrals="opened_on\nd-900",
    ),
    vignette(
        "crisis contact ten days ago",
        Must("CRISIS_SIGNAL", "", ""),
        contacts="contact_on kind outcome\nd-10 crisis attended",
        referrals="opened_on\nd-900",
    ),
    vignette(
        "pregabalin with morphine for half a year, no review",
        Must("BZD_Z_PREGABALIN_LONG", "high", "pregabalin"),
        supplies=both("pregabalin", "morphine"),
    ),
    vignette(
        "two trials of eight weeks, admitted on the second, F20: clozapine to discuss",
        Must("TRS_NO_CLOZAPINE", "", "olanzapine"),
        supplies=HEAD + every("risperidone", 28, 400, 300) + "\n" + every("olanzapine", 28, 270, 8),
        stays="admitted_on discharged_on method ward\nd-150 d-120 emergency acute",
        conditions=CODED + "diagnosis snomed 58214004 x d-900",
    ),
    vignette(
        "lithium collected twice over: 56 days every 28 days for five months",
        Must("STOCK_AT_HOME", "high", "lithium"),
        supplies=HEAD + "\n".join(f"lithium d-{d} 56" for d in range(150, 5, -28)),
    ),
    vignette(
        "naproxen with citalopram for long without stomach protection",
        Must("INTERACTION_STANDING", "", "naproxen"),
        supplies=both("citalopram", "naproxen"),
    ),
    vignette(
        "allergy to penicillin and lithium supplied: no conflict",
        not_found=("ALLERGY_CONFLICT",),
        supplies=HEAD + every("lithium", 28, 400, 8),
        conditions="category system code label recorded_on\nallergy - - penicillin d-90",
    ),
]

VIGNETTES = [*NEVER_SILENT, *NEVER_NOISE, *SECOND_ROUND]
