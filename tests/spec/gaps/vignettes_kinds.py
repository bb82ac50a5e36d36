"""The kinds that a pharmacist's review named, each with other medicines, codes, days and limits than its first example.

The answers were written before the rules were run, from the review and the reference tables.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
DOSED = "medicine supplied_on days_supplied daily_dose_mg\n"
KINDS = "kind value from_on\n"
RESULTS = "test taken_on value\n"
CODED = "category system code label recorded_on\n"
SEEN = "contact_on kind\nd-7 routine"
DEPOT = "medicine supplied_on interval_days kind\n"
COUNTED = RESULTS + "anc d-5 3.9\nwbc d-5 6.1"


def both(one: str, two: str, days: int = 200) -> str:
    return HEAD + every(one, 28, days, 1) + "\n" + every(two, 28, days, 1)


def depots(medicine: str, every_days: int, last: int, kind: str = "administered", times: int = 8) -> str:
    return "\n".join(f"{medicine} d-{last + every_days * n} {every_days} {kind}" for n in reversed(range(times)))


SILENT: list[Vignette] = [
    vignette(
        "a year of clozapine prescribed and dispensed on the same days, nothing for 6 days: a break",
        Must("CLZ_BREAK", "critical", "ran out on d-6"),
        supplies="medicine supplied_on days_supplied kind\n"
        + "\n".join(f"clozapine d-{d} 28 {k}" for d in range(370, 33, -28) for k in ("prescribed", "dispensed")),
        results=COUNTED,
    ),
    vignette(
        "zuclopenthixol depot given 40 days ago, every 14 days, a prescription last week: late all the same",
        Must("LAI_OVERDUE", "", "d-40"),
        supplies=DEPOT
        + depots("zuclopenthixol_decanoate_injection", 14, 40)
        + "\nzuclopenthixol_decanoate_injection d-5 14 prescribed",
    ),
    vignette(
        "bipolar in SNOMED CT, quetiapine ended 150 days ago, seen last week",
        Must("NO_ANTIPSYCHOTIC", "high", "quetiapine"),
        supplies=HEAD + every("quetiapine", 28, 500, 178),
        conditions=CODED + "diagnosis snomed 13746004 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "schizophrenia in ICD-10 without a dot, paliperidone depot ended 300 days ago",
        Must("NO_ANTIPSYCHOTIC", "critical", "paliperidone"),
        supplies=DEPOT + depots("paliperidone_palmitate_1-monthly_injection", 28, 330),
        conditions=CODED + "diagnosis icd10 F200 x d-900",
        contacts=SEEN,
    ),
    vignette(
        "off clozapine for two years, no diagnosis coded",
        Must("NO_ANTIPSYCHOTIC", "critical", "clozapine"),
        supplies=HEAD + every("clozapine", 28, 1400, 730),
        contacts=SEEN,
    ),
    vignette(
        "quetiapine at 90 days is not said yet, and the supply gap is",
        Must("SUPPLY_GAP_ORAL", "high", "90 days ago"),
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=HEAD + every("quetiapine", 28, 398, 118),
        conditions=CODED + "diagnosis icd10 F31.7 x d-900",
    ),
    *(
        vignette(
            f"{one} with {two} for more than half a year",
            Must("INTERACTION_STANDING", severity, two),
            supplies=both(one, two),
        )
        for one, two, severity in (
            ("clozapine", "carbamazepine", "critical"),
            ("phenelzine", "venlafaxine", "critical"),
            ("venlafaxine", "phenelzine", "critical"),
            ("lithium", "bendroflumethiazide", ""),
            ("bendroflumethiazide", "lithium", ""),
            ("sertraline", "naproxen", ""),
        )
    ),
    vignette(
        "escitalopram with haloperidol for long, an ECG from before they came together",
        Must("BP_PULSE_QTC", "", "QT-prolonging"),
        supplies=both("escitalopram", "haloperidol"),
        results=RESULTS + "qtc d-260 420",
    ),
    vignette(
        "the same with an ECG since",
        not_found=("BP_PULSE_QTC",),
        supplies=both("escitalopram", "haloperidol"),
        results=RESULTS + "qtc d-60 420",
    ),
    vignette(
        "BEN true in other words: the count of 1.6 is green by BEN limits",
        not_found=("CLZ_RESULT_RED_AMBER",),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        results=RESULTS + "anc d-5 1.6\nwbc d-5 3.1",
        circumstances=KINDS + "benign_ethnic_neutropenia Confirmed d-600",
    ),
    vignette(
        "neutrophils alone on the due day: no count",
        Must("CLZ_FBC_OVERDUE", "critical", "last recorded d-35"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        results=RESULTS + "anc d-35 3.9\nwbc d-35 6.1\nanc d-7 3.8",
    ),
    vignette(
        "clozapine level of 500 days ago",
        Must("CLZ_LEVEL_SMOKING", "medium", "last recorded d-500"),
        supplies=HEAD + every("clozapine", 28, 900, 1),
        results=COUNTED + "\nclozapine_level d-500 0.45",
    ),
    vignette(
        "clozapine with amitriptyline and no laxative",
        Must("CLZ_GI_HYPOMOTILITY", "high", "amitriptyline"),
        Must("ANTICHOLINERGIC_BURDEN", "medium", "amitriptyline"),
        supplies=both("clozapine", "amitriptyline"),
        results=COUNTED + "\nconstipation_check d-5 0",
    ),
    vignette(
        "carbamazepine bloods done once, three years ago",
        Must("MONITORING_OVERDUE", "", "liver function: last recorded d-1000"),
        supplies=HEAD + every("carbamazepine", 28, 1100, 1),
        results=RESULTS + "lft d-1000 -\nfbc d-1000 -".replace(" -", " 20"),
    ),
    vignette(
        "olanzapine embonate: the last injection without observation, the one before with it",
        Must("LAI_SAFE_USE", "", "d-10"),
        supplies=DEPOT + depots("olanzapine_embonate_injection", 28, 10),
        results=RESULTS + "post_injection_observation d-38 1",
    ),
    vignette(
        "lithium for 20 days and no level",
        Must("LI_LEVEL_OVERDUE", "high", "not recorded"),
        supplies=HEAD + "lithium d-20 28",
    ),
    vignette(
        "GP took over lithium 10 days ago, agreement of last month: settled",
        not_found=("SHARED_CARE_UNCLEAR",),
        supplies="medicine supplied_on days_supplied prescriber\n"
        + every("lithium", 28, 300, 38, "trust")
        + "\nlithium d-10 28 gp",
        conditions=CODED + "shared_care local agreed lithium d-30",
    ),
    vignette(
        "dead for two days: nothing is asked",
        not_found=("SAFETY", "MEDICINES_REVIEW_OVERDUE", "ALLERGY_NOT_RECORDED"),
        patients="birth_date sex died_on\n1980-01-01 male d-2",
        supplies=HEAD + every("clozapine", 28, 700, 40),
    ),
]
HARMS: list[Vignette] = [
    *(
        vignette(
            f"pregnant (SNOMED CT) and taking {medicine}",
            Must(
                "VALPROATE_PPP" if medicine == "valproate" else "PREGNANCY_RISK", "", f"pregnancy recorded.*{medicine}"
            ),
            patients="birth_date sex\n1995-01-01 female",
            supplies=HEAD + every(medicine, 28, 300, 1),
            conditions=CODED + "diagnosis snomed 77386006 x d-30",
        )
        for medicine in ("valproate", "lithium", "topiramate", "carbamazepine")
    ),
    vignette(
        "a pregnancy of two years ago is over",
        not_found=("PREGNANCY_RISK:pregnan",),
        patients="birth_date sex\n1995-01-01 female",
        supplies=HEAD + every("lithium", 28, 300, 1),
        conditions=CODED + "diagnosis snomed 77386006 x d-730",
    ),
    *(
        vignette(
            f"{test} {value} with {medicine}",
            Must("RESULT_DANGEROUS", severity, str(value)),
            supplies=HEAD + every(medicine, 28, 300, 1),
            results=RESULTS + f"{test} d-10 {value}",
        )
        for medicine, test, value, severity in (
            ("citalopram", "sodium", 124, "critical"),
            ("mirtazapine", "sodium", 128, ""),
            ("aripiprazole", "ck", 6000, ""),
            ("valproate", "platelets", 60, ""),
            ("valproate", "alt", 400, ""),
            ("carbamazepine", "carbamazepine_level", 15, ""),
        )
    ),
    vignette(
        "a sodium of 139 with citalopram is nothing",
        not_found=("RESULT_DANGEROUS",),
        supplies=HEAD + every("citalopram", 28, 300, 1),
        results=RESULTS + "sodium d-10 139",
    ),
    vignette(
        "allergy to the group: NSAIDs recorded, naproxen supplied",
        Must("ALLERGY_CONFLICT", "", "naproxen"),
        supplies=HEAD + "naproxen d-3 7",
        conditions=CODED + "allergy local x NSAID d-900",
    ),
    vignette(
        "allergy to lamotrigine recorded, lamotrigine supplied",
        Must("ALLERGY_CONFLICT", "", "lamotrigine"),
        supplies=HEAD + "lamotrigine d-20 28",
        conditions=CODED + "allergy local x lamotrigine d-900",
    ),
    vignette(
        "an amber count and BEN never asked",
        Must("CLZ_RESULT_RED_AMBER", "high", "BEN status not recorded", does="benign ethnic neutropenia"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        results=RESULTS + "anc d-5 1.7\nwbc d-5 4.0",
    ),
    vignette(
        "agranulocytosis: an emergency, not a dose reduction",
        Must("CLZ_RESULT_RED_AMBER", "critical", "0.3", does="(?i)emergency"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        results=RESULTS + "anc d-1 0.3\nwbc d-1 1.9",
    ),
    *(
        vignette(
            f"supply of {medicine} ended {ago} days ago after two years",
            Must(code, severity, medicine),
            supplies=HEAD + every(medicine, 28, 700 + ago, 28 + ago),
        )
        for medicine, ago, code, severity in (
            ("venlafaxine", 7, "WITHDRAWAL_RISK", ""),
            ("lithium", 5, "SUPPLY_GAP_ORAL", "high"),
            ("lamotrigine", 8, "SUPPLY_GAP_ORAL", "high"),
            ("clonazepam", 5, "WITHDRAWAL_RISK", "high"),
        )
    ),
    *(
        vignette(
            f"citalopram {dose} mg, born {born}",
            *([Must("DOSE_ABOVE_MAXIMUM", "", f"{dose}")] if fires else []),
            not_found=() if fires else ("DOSE_ABOVE_MAXIMUM",),
            patients=f"birth_date sex\n{born} female",
            supplies=DOSED + f"citalopram d-20 28 {dose}",
        )
        for dose, born, fires in (
            (60, "1985-01-01", True),
            (40, "1985-01-01", False),
            (40, "1955-01-01", True),
            (20, "1955-01-01", False),
            (40, "1960-06-20", True),
            (40, "1960-07-20", False),
        )
    ),
    vignette(
        "escitalopram 20 mg at 70",
        Must("DOSE_ABOVE_MAXIMUM", "", "20"),
        patients="birth_date sex\n1955-01-01 male",
        supplies=DOSED + "escitalopram d-20 28 20",
    ),
    vignette(
        "second loading dose of paliperidone missed: first 14 days ago",
        Must("LAI_OVERDUE", "", "second|loading|day 8|due"),
        supplies=DEPOT + "paliperidone_palmitate_1-monthly_injection d-14 28 administered",
    ),
    vignette(
        "a community treatment order for two months and no form",
        Must("CTO_TREATMENT_FORM", "", "CTO1[12]"),
        supplies=HEAD + every("olanzapine", 28, 300, 1),
        circumstances=KINDS + "community_treatment_order yes d-60",
    ),
    vignette(
        "a man of 30 on valproate for a year: told about contraception?",
        Must("VALPROATE_PPP", "", ""),
        patients="birth_date sex\n1995-01-01 male",
        supplies=HEAD + every("valproate", 28, 400, 1),
    ),
    vignette(
        "olanzapine and smoking stopped last month",
        Must("SMOKING_CHANGE", "medium", "olanzapine may rise"),
        supplies=HEAD + every("olanzapine", 28, 300, 1),
        circumstances=KINDS + "smoking smoker d-900\nsmoking ex_smoker d-30",
    ),
    vignette(
        "clozapine and smoking cut from 30 to 10 a day",
        Must("CLZ_LEVEL_SMOKING", "high", "smoking reduced"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        circumstances=KINDS + "smoking 30_a_day d-900\nsmoking 10_a_day d-20",
    ),
    vignette(
        "dementia in SNOMED CT and risperidone for 100 days",
        Must("ANTIPSYCHOTIC_NEED", "high", "risperidone"),
        patients="birth_date sex\n1945-01-01 female",
        supplies=HEAD + every("risperidone", 28, 100, 1),
        conditions=CODED + "diagnosis snomed 26929004 x d-500",
    ),
    vignette(
        "learning disability, haloperidol for a year, no psychosis coded",
        Must("ANTIPSYCHOTIC_NEED", "medium", "haloperidol"),
        patients="birth_date sex learning_disability\n1985-01-01 male confirmed",
        supplies=HEAD + every("haloperidol", 28, 400, 1),
    ),
    vignette(
        "lithium with furosemide",
        Must("INTERACTION_STANDING", "", "furosemide"),
        supplies=both("lithium", "furosemide"),
    ),
    vignette(
        "lithium level 0.9 at 72",
        Must("LI_LEVEL_ABNORMAL", "medium", "0.9"),
        patients="birth_date sex\n1953-01-01 female",
        supplies=HEAD + every("lithium", 28, 900, 1),
        results=RESULTS + "lithium_level d-20 0.9",
    ),
    vignette(
        "body mass 28 in somebody for whom the lower limits hold",
        Must("METABOLIC_WORSENING", "", "28"),
        patients="birth_date sex ethnicity\n1990-01-01 female Indian",
        supplies=HEAD + every("olanzapine", 28, 20, 1),
        results=RESULTS + "bmi d-5 28",
    ),
    vignette(
        "rough sleeping on a depot",
        Must("LIVING_SITUATION", "medium", "storage"),
        supplies=HEAD + every("olanzapine", 28, 300, 1),
        circumstances=KINDS + "housing rough_sleeping d-30",
    ),
    vignette(
        "olanzapine collected weekly, one collection missed",
        Must("SUPPLY_GAP_ORAL", "medium", "supplied weekly"),
        supplies=HEAD + every("olanzapine", 7, 200, 15),
    ),
]
NOISE: list[Vignette] = [
    vignette(
        "a single dose of lorazepam and a cream",
        not_found=("BZD_Z_PREGABALIN_LONG", "WITHDRAWAL_RISK", "ANTICHOLINERGIC_BURDEN", "INTERACTION_NEW"),
        supplies="medicine supplied_on days_supplied as_required\nlorazepam d-100 1 true\nsertraline d-10 28 false",
    ),
    vignette(
        "promethazine as required, ran out long ago: no supply gap",
        not_found=("SUPPLY_GAP_ORAL", "WITHDRAWAL_RISK", "NO_ANTIPSYCHOTIC"),
        supplies="medicine supplied_on days_supplied as_required\npromethazine d-100 14 true",
    ),
    vignette(
        "aripiprazole depot 400 mg monthly: at the maximum, not above it",
        not_found=("HDAT",),
        supplies="medicine supplied_on interval_days kind dose_mg\n"
        + "\n".join(f"aripiprazole_1-monthly_injection d-{d} 28 administered 400" for d in range(200, 1, -28)),
    ),
    vignette(
        "olanzapine 20 mg and as-required haloperidol 5 mg: above the maximum",
        Must("HDAT", "high", "haloperidol"),
        supplies="medicine supplied_on days_supplied daily_dose_mg as_required\n"
        "olanzapine d-20 28 20 false\nhaloperidol d-10 14 5 true",
    ),
    vignette(
        "a depot that is late is not said again as adherence or an oral gap",
        Must("LAI_OVERDUE", "", ""),
        not_found=("ADHERENCE_FALLING", "SUPPLY_GAP_ORAL"),
        supplies=DEPOT + depots("flupentixol_decanoate_injection", 14, 45, times=20),
    ),
    vignette(
        "quetiapine alone at 40: one licensed antipsychotic is no burden",
        not_found=("ANTICHOLINERGIC_BURDEN",),
        patients="birth_date sex\n1985-01-01 female",
        supplies=HEAD + every("quetiapine", 28, 300, 1),
    ),
    vignette(
        "a pressure of 144 is no safety alarm and asks for no ECG",
        Must("BP_PULSE_QTC", "low", "144", never="ECG"),
        not_found=("SAFETY",),
        supplies=HEAD + every("olanzapine", 28, 300, 1),
        results=RESULTS + "systolic_bp d-10 144",
    ),
    vignette(
        "clozapine supply three days late with a count since: check dispensing",
        Must("CLZ_BREAK", "critical", "check dispensing", does="Check dispensing first"),
        supplies=HEAD + every("clozapine", 28, 703, 31),
        results=RESULTS + "anc d-2 3.9\nwbc d-2 6.1",
    ),
    vignette(
        "clozapine register says four-weekly after a short break: not weekly",
        not_found=("CLZ_FBC_OVERDUE",),
        supplies=HEAD + "clozapine d-700 300\nclozapine d-400 300\nclozapine d-97 120",
        results=RESULTS + "anc d-20 3.9\nwbc d-20 6.1",
        circumstances=KINDS + "clozapine_service cpms d-700\nclozapine_interval four_weekly d-90",
    ),
    vignette(
        "followed up after discharge, not reconciled: says which",
        Must("POST_DISCHARGE_RECONCILE", "high", "no medicines review", title="not yet reconciled"),
        not_found=("POST_DISCHARGE_RECONCILE:no 72-hour",),
        supplies=HEAD + "olanzapine d-10 28",
        stays="admitted_on discharged_on method ward\nd-40 d-10 emergency acute",
        contacts="contact_on kind\nd-8 routine",
    ),
    vignette(
        "review two weeks before a discharge of two months ago does not clear it",
        Must("MEDICINES_REVIEW_OVERDUE", "", "none since the discharge of d-60"),
        supplies=HEAD + every("olanzapine", 28, 500, 1),
        stays="admitted_on discharged_on method ward\nd-90 d-60 emergency acute",
        contacts="contact_on kind\nd-75 medicines_review",
    ),
    vignette(
        "diazepam for 40 days, reviewed before it was started",
        Must("BZD_Z_PREGABALIN_LONG", "medium", "diazepam for 40 days"),
        supplies=HEAD + "diazepam d-40 60",
        contacts="contact_on kind\nd-80 medicines_review",
    ),
    vignette(
        "an interpreter was there before the need was recorded",
        Must("EQUALITY_NEED_UNMET", "medium", "interpreter"),
        circumstances=KINDS + "interpreter_present yes d-100\ninterpreter required d-20",
    ),
    vignette(
        "valproate for six years is no new start",
        not_found=("VALPROATE_PPP:two specialist|new start",),
        patients="birth_date sex\n1985-01-01 male",
        supplies=HEAD + every("valproate", 28, 2200, 1),
    ),
    vignette(
        "referred three weeks ago, last seen a year before: not yet overdue",
        not_found=("NO_CONTACT",),
        referrals="opened_on\nd-20",
        contacts="contact_on kind\nd-400 routine",
    ),
    vignette(
        "smoking started again: the dose is not lowered",
        Must("CLZ_LEVEL_SMOKING", "high", "started again", never="75%"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        circumstances=KINDS + "smoking ex_smoker d-900\nsmoking smoker d-20",
    ),
    vignette(
        "a clozapine level of 0.2: the dose is not lowered",
        Must("CLZ_LEVEL_SMOKING", "medium", "0.2", never="75%"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        results=COUNTED + "\nclozapine_level d-20 0.2",
    ),
    vignette(
        "pneumonia on clozapine: a level now",
        Must("CLZ_LEVEL_SMOKING", "high", "now"),
        supplies=HEAD + every("clozapine", 28, 700, 1),
        circumstances=KINDS + "infection pneumonia d-3",
    ),
]
VIGNETTES = [*SILENT, *HARMS, *NOISE]
