"""No antipsychotic where one is likely needed, too much, two at once, where one may not be needed; pairs that stand."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
DOSED = "medicine supplied_on days_supplied daily_dose_mg\n"
PSYCHOSIS = "category system code label recorded_on\ndiagnosis icd10 F20.0 - d-900"
SNOMED = "category system code label recorded_on\ndiagnosis snomed 64905009 - d-900"
BIPOLAR = "category system code label recorded_on\ndiagnosis icd10 F31.7 - d-900"
DEPRESSION = "category system code label recorded_on\ndiagnosis icd10 F33.1 - d-900"
SEEN = "contact_on kind\nd-7 routine"
REVIEWED = "contact_on kind\nd-7 medicines_review"

UNTREATED = [
    vignette(
        "clozapine ran out 120 days ago and nothing since, seen last week",
        Must(
            "NO_ANTIPSYCHOTIC",
            "critical",
            "clozapine supply ran out on d-120, 120 days ago; no regular antipsychotic supplied since",
            "not to be restarted at the old dose",
            title="Clozapine ended",
        ),
        supplies=HEAD + every("clozapine", 28, 428, 148),
        conditions=PSYCHOSIS,
        contacts=SEEN,
    ),
    vignette(
        "clozapine ran out 120 days ago, no diagnosis recorded: said all the same",
        Must("NO_ANTIPSYCHOTIC", "critical"),
        supplies=HEAD + every("clozapine", 28, 428, 148),
    ),
    vignette(
        "clozapine changed to olanzapine, in hand",
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=HEAD + every("clozapine", 28, 428, 148) + "\nolanzapine d-20 28",
        conditions=PSYCHOSIS,
    ),
    vignette(
        "injection last given 150 days ago, never since, no tablets",
        Must("NO_ANTIPSYCHOTIC", "critical", "cover ended on d-122, 122 days ago"),
        not_found=("LAI_OVERDUE",),
        supplies="medicine kind supplied_on interval_days\n"
        "haloperidol_decanoate_injection administered d-178 28\nhaloperidol_decanoate_injection administered d-150 28",
        contacts=SEEN,
    ),
    vignette(
        "olanzapine ran out 130 days ago, schizophrenia in SNOMED CT",
        Must("NO_ANTIPSYCHOTIC", "high", "olanzapine supply ran out on d-130"),
        supplies=HEAD + "olanzapine d-158 28",
        conditions=SNOMED,
    ),
    vignette(
        "only an as-required antipsychotic for half a year: no regular one",
        Must("NO_ANTIPSYCHOTIC", "high", "no regular antipsychotic"),
        supplies="medicine supplied_on days_supplied as_required\nolanzapine d-208 28 false\nhaloperidol d-20 28 true",
        conditions=PSYCHOSIS,
    ),
    vignette(
        "bipolar disorder, olanzapine stopped half a year ago, lithium goes on, reviewed: said more mildly",
        Must("NO_ANTIPSYCHOTIC", "medium", "lithium supplied"),
        supplies=HEAD + "olanzapine d-208 28\n" + every("lithium", 28, 420, 0),
        conditions=BIPOLAR,
        contacts=REVIEWED,
    ),
    vignette(
        "quetiapine for depression stopped 120 days ago, not reviewed since",
        Must("NO_ANTIPSYCHOTIC", "medium"),
        supplies=HEAD + "quetiapine d-148 28",
        conditions=DEPRESSION,
        contacts=SEEN,
    ),
    vignette(
        "quetiapine for depression stopped 120 days ago, medicines reviewed since",
        not_found=("NO_ANTIPSYCHOTIC",),
        supplies=HEAD + "quetiapine d-148 28",
        conditions=DEPRESSION,
        contacts=REVIEWED,
    ),
    vignette(
        "psychosis recorded for years and no antipsychotic ever",
        Must("NO_ANTIPSYCHOTIC", "medium", "no regular antipsychotic recorded"),
        conditions=PSYCHOSIS,
        contacts=SEEN,
    ),
    vignette(
        "in hospital for four months: the ward supplies, said mildly and as no alarm",
        Must("NO_ANTIPSYCHOTIC", "low", "what the ward gives is not recorded"),
        not_found=("SAFETY",),
        supplies=HEAD + "olanzapine d-158 28",
        conditions=PSYCHOSIS,
        stays="admitted_on discharged_on\nd-132 -",
    ),
]
DOSE = [
    vignette(
        "olanzapine 20 mg: at the maximum is not high dose",
        not_found=("HDAT",),
        supplies=DOSED + "olanzapine d-20 28 20",
    ),
    vignette(
        "olanzapine 25 mg: above it is",
        Must("HDAT", "high", "125%"),
        supplies=DOSED + "olanzapine d-20 28 25",
    ),
    vignette(
        "aripiprazole 400 mg monthly is the usual licensed dose",
        not_found=("HDAT",),
        supplies="medicine kind supplied_on interval_days dose_mg\n"
        + "\n".join(f"aripiprazole_1-monthly_injection administered d-{ago} 28 400" for ago in (60, 32, 4)),
    ),
]
NEED = [
    vignette(
        "risperidone in dementia, never reviewed",
        Must("ANTIPSYCHOTIC_NEED", "high", "risperidone with dementia recorded; no medicines review", "stroke"),
        supplies=HEAD + every("risperidone", 28, 140, 0),
        conditions="category system code label recorded_on\ndiagnosis icd10 F01.9 - d-400",
    ),
    vignette(
        "risperidone in dementia, reviewed last month",
        not_found=("ANTIPSYCHOTIC_NEED",),
        supplies=HEAD + every("risperidone", 28, 140, 0),
        conditions="category system code label recorded_on\ndiagnosis snomed 26929004 - d-400",
        contacts=REVIEWED,
    ),
    vignette(
        "learning disability, risperidone, no psychosis: STOMP review, and the reason is not named",
        Must("ANTIPSYCHOTIC_NEED", "medium", "no psychosis or bipolar disorder recorded", title="STOMP"),
        not_found=("ANTIPSYCHOTIC_NEED:disab",),
        patients="learning_disability\nconfirmed",
        supplies=HEAD + every("risperidone", 28, 140, 0),
    ),
    vignette(
        "learning disability and schizophrenia: there is a reason",
        not_found=("ANTIPSYCHOTIC_NEED",),
        patients="learning_disability\nconfirmed",
        supplies=HEAD + every("risperidone", 28, 140, 0),
        conditions=PSYCHOSIS,
    ),
]
STOCK = [
    vignette(
        "lithium supplied by trust and GP every four weeks for five months",
        Must("STOCK_AT_HOME", "high", "lithium: .* supplied by trust and gp", "what is at home"),
        supplies="medicine supplied_on days_supplied prescriber\n"
        + "\n".join(f"lithium d-{ago} 28 {who}" for ago in range(140, 0, -28) for who in ("trust", "gp")),
    ),
    vignette(
        "olanzapine collected a week early each time for half a year",
        Must("STOCK_AT_HOME", "medium", "olanzapine: 28 days of supply more"),
        supplies=HEAD + "\n".join(f"olanzapine d-{ago} 28" for ago in range(168, 20, -21)),
    ),
    vignette(
        "twelve weeks' supply collected two weeks early once",
        not_found=("STOCK_AT_HOME",),
        supplies=HEAD + "olanzapine d-154 84\nolanzapine d-84 84\nolanzapine d-3 84",
    ),
    vignette(
        "prescribed and dispensed rows are one supply",
        not_found=("STOCK_AT_HOME",),
        supplies="medicine kind supplied_on days_supplied\n"
        + "\n".join(f"lithium {kind} d-{ago} 28" for ago in range(140, 0, -28) for kind in ("prescribed", "dispensed")),
    ),
]
PAIRS = [
    vignette(
        f"{one} with {two} for 200 days",
        Must("INTERACTION_STANDING", severity, says, title="Contraindicated" if severity == "critical" else ""),
        supplies=HEAD + every(one, 28, 400, 0) + "\n" + every(two, 28, 200, 0),
    )
    for one, two, severity, says in (
        ("clozapine", "carbamazepine", "critical", "contraindicated: clozapine with carbamazepine since .*bone marrow"),
        ("clozapine", "haloperidol_decanoate_injection", "critical", "cannot be withdrawn quickly"),
        ("phenelzine", "sertraline", "critical", "serotonin toxicity"),
        ("clozapine", "co-trimoxazole", "critical", "neutropenia"),
        ("levodopa", "haloperidol", "high", "loss of Parkinson effect"),
        ("lithium", "bendroflumethiazide", "high", "lithium level rises; avoid"),
        ("lithium", "furosemide", "medium", "lithium level may rise"),
        ("sertraline", "naproxen", "medium", "gastrointestinal bleed"),
        ("diazepam", "morphine", "medium", "respiratory depression"),
    )
] + [
    vignette(
        "clozapine with carbamazepine, reviewed last week: still said, less loudly",
        Must("INTERACTION_STANDING", "high", "reviewed since"),
        supplies=HEAD + every("clozapine", 28, 400, 0) + "\n" + every("carbamazepine", 28, 200, 0),
        contacts=REVIEWED,
    ),
    vignette(
        "sertraline with naproxen and stomach protection",
        Must("INTERACTION_STANDING", "low", "stomach protection supplied"),
        supplies=HEAD + "\n".join(every(name, 28, 200, 0) for name in ("sertraline", "naproxen", "omeprazole")),
    ),
    vignette(
        "valproate with lamotrigine for years: a risk of the start",
        not_found=("INTERACTION_STANDING", "INTERACTION_NEW"),
        supplies=HEAD + every("valproate", 28, 400, 0) + "\n" + every("lamotrigine", 28, 400, 0),
    ),
    vignette(
        "quetiapine with levodopa: the antipsychotic that is advised there",
        not_found=("INTERACTION_STANDING:levodopa",),
        supplies=HEAD + every("quetiapine", 28, 400, 0) + "\n" + every("levodopa", 28, 400, 0),
    ),
    vignette(
        "citalopram with quetiapine and no ECG",
        Must(
            "BP_PULSE_QTC", "high", "2 QT-prolonging medicines.*ECG not recorded; contraindicated together", "ECG now"
        ),
        not_found=("INTERACTION_STANDING",),
        supplies=HEAD + every("citalopram", 28, 400, 0) + "\n" + every("quetiapine", 28, 400, 0),
    ),
    vignette(
        "methadone with haloperidol, ECG two months ago: the pair still stands",
        Must(
            "INTERACTION_STANDING",
            "medium",
            "(methadone|haloperidol) with (methadone|haloperidol).*ECG last recorded d-60",
        ),
        not_found=("BP_PULSE_QTC",),
        supplies=HEAD + every("methadone", 28, 400, 0) + "\n" + every("haloperidol", 28, 400, 0),
        results="test taken_on\necg_qtc d-60",
    ),
    vignette(
        "lithium and olanzapine started together last week: a moderate pair is low and no alarm",
        Must("INTERACTION_NEW", "low", "neurotox|EPS"),
        not_found=("SAFETY:EPS",),
        supplies=HEAD + every("lithium", 28, 400, 0) + "\nolanzapine d-7 28",
    ),
]
VIGNETTES = [*UNTREATED, *DOSE, *NEED, *STOCK, *PAIRS]
