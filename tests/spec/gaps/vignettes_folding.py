"""One problem, one line: what is folded stays, in the line that takes it."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
OLANZAPINE = HEAD + every("olanzapine", 28, 1000, 1)
RESULTS = "test taken_on value\n"
VIGNETTES = [
    vignette(
        "allergy status of two years ago, and no review: one line of the review",
        Must("MEDICINES_REVIEW_OVERDUE", says="allergy status last confirmed on d-700"),
        not_found=("ALLERGY_NOT_RECORDED",),
        supplies=OLANZAPINE,
        conditions="category system code label recorded_on\nallergy local none none d-700",
    ),
    vignette(
        "allergy status of two years ago, reviewed since: its own line",
        Must("ALLERGY_NOT_RECORDED", "low", "last confirmed on d-700"),
        not_found=("MEDICINES_REVIEW_OVERDUE",),
        supplies=OLANZAPINE,
        conditions="category system code label recorded_on\nallergy local none none d-700",
        contacts="contact_on kind\nd-100 medicines_review",
    ),
    vignette(
        "a raised pressure and HbA1c of two years ago: in the annual check that is overdue, and as severe",
        Must("MONITORING_NEVER_DONE", "medium", "systolic blood pressure 150 mmHg on d-700", does="home readings"),
        Must("MONITORING_NEVER_DONE", "medium", "HbA1c 44 mmol/mol on d-700", does="diabetes prevention"),
        not_found=("BP_PULSE_QTC", "METABOLIC_WORSENING"),
        supplies=OLANZAPINE,
        results=RESULTS + "systolic_bp d-700 150\nhba1c d-700 44",
    ),
    vignette(
        "a cholesterol of 6.4 as for years, and no statin: in the annual check that is overdue, as severe",
        Must("MONITORING_NEVER_DONE", "medium", "total cholesterol 6.4 mmol/L on d-60; no statin", does="statin"),
        not_found=("METABOLIC_WORSENING",),
        supplies=OLANZAPINE,
        results=RESULTS + "total_cholesterol d-700 6.5\ntotal_cholesterol d-60 6.4",
    ),
    vignette(
        "a cholesterol that rose to 6.4 within a year: its own line",
        Must("METABOLIC_WORSENING", "medium", "total cholesterol 6.4"),
        supplies=OLANZAPINE,
        results=RESULTS + "total_cholesterol d-300 5.1\ntotal_cholesterol d-60 6.4",
    ),
    vignette(
        "a first body mass index of 26: in the annual check that is overdue",
        Must("MONITORING_NEVER_DONE", "", "body mass index 26"),
        not_found=("METABOLIC_WORSENING",),
        supplies=OLANZAPINE,
        results=RESULTS + "bmi d-30 26",
    ),
    vignette(
        "a first body mass index of 31: its own line",
        Must("METABOLIC_WORSENING", "medium", "body mass index 31"),
        supplies=OLANZAPINE,
        results=RESULTS + "bmi d-30 31",
    ),
    vignette(
        "blood pressure with venlafaxine due lately, and no review: arranged at the review",
        Must("MEDICINES_REVIEW_OVERDUE", "", r"blood pressure: last recorded d-250 \(venlafaxine\)"),
        not_found=("MONITORING_OVERDUE",),
        supplies=HEAD + every("venlafaxine", 28, 1000, 1),
        results=RESULTS + "systolic_bp d-250 120\ndiastolic_bp d-250 70",
        contacts="contact_on kind\nd-7 routine",
    ),
    vignette(
        "blood pressure with venlafaxine long overdue: its own line beside the review",
        Must("MONITORING_OVERDUE", "low", r"blood pressure: last recorded d-800 \(venlafaxine\)"),
        Must("MEDICINES_REVIEW_OVERDUE"),
        supplies=HEAD + every("venlafaxine", 28, 1000, 1),
        results=RESULTS + "systolic_bp d-800 120\ndiastolic_bp d-800 70",
    ),
    vignette(
        "diabetes of two years ago stays high and its own line",
        Must("METABOLIC_WORSENING", "high", "HbA1c 52 mmol/mol"),
        supplies=OLANZAPINE,
        results=RESULTS + "hba1c d-700 52",
    ),
    vignette(
        "a raised pressure of last month: its own line",
        Must("BP_PULSE_QTC", "low", "150 mmHg"),
        supplies=OLANZAPINE,
        results=RESULTS + "systolic_bp d-30 150",
    ),
    vignette(
        "a raised pressure beside weight gain: one risk, handed over once",
        Must("METABOLIC_WORSENING", "high", "weight up 7 kg.*150 mmHg", does="home readings"),
        not_found=("BP_PULSE_QTC",),
        supplies=OLANZAPINE,
        results=RESULTS + "weight d-90 80\nweight d-20 87\nsystolic_bp d-30 150",
    ),
    vignette(
        "a QTc of 520 beside weight gain is never folded",
        Must("BP_PULSE_QTC", "critical", "520"),
        Must("METABOLIC_WORSENING", "high"),
        supplies=OLANZAPINE,
        results=RESULTS + "weight d-90 80\nweight d-20 87\nqtc d-20 520",
    ),
    vignette(
        "two antipsychotics with a load of their own: said with the combination",
        Must("ANTIPSYCHOTIC_POLYPHARMACY", "medium", "score 6", does="constipation"),
        not_found=("ANTICHOLINERGIC_BURDEN",),
        supplies=HEAD + every("olanzapine", 28, 200, 1) + "\n" + every("quetiapine", 28, 200, 1),
    ),
    vignette(
        "oxybutynin beside clozapine is a line of its own",
        Must("ANTICHOLINERGIC_BURDEN", "medium", "oxybutynin"),
        supplies=HEAD + every("clozapine", 28, 500, 1) + "\n" + every("oxybutynin", 28, 200, 1),
    ),
    vignette(
        "a required check that missed a whole interval more keeps its own line",
        Must(
            "MONITORING_OVERDUE",
            "high",
            r"weight or body mass index: last recorded d-800 \(lithium\)",
            title=r"^Weight or body mass index \(lithium\) overdue$",
        ),
        supplies=HEAD + every("lithium", 28, 900, 1) + "\n" + every("olanzapine", 28, 900, 1),
        results=RESULTS + "weight d-800 80",
    ),
    vignette(
        "procyclidine for long in somebody of 45, never reviewed",
        Must("ANTICHOLINERGIC_BURDEN", "medium", "procyclidine for 20[0-9] days", does="withdraw procyclidine slowly"),
        patients="birth_date sex\n1980-01-01 male",
        supplies=HEAD + every("risperidone", 28, 200, 1) + "\n" + every("procyclidine", 28, 200, 1),
    ),
    vignette(
        "procyclidine for long, reviewed last month: as its standard asks",
        not_found=("ANTICHOLINERGIC_BURDEN",),
        patients="birth_date sex\n1980-01-01 male",
        supplies=HEAD + every("risperidone", 28, 200, 1) + "\n" + every("procyclidine", 28, 200, 1),
        contacts="contact_on kind\nd-30 medicines_review",
    ),
    vignette(
        "two gaps long ago and every day covered since: nothing falls",
        not_found=("ADHERENCE_FALLING",),
        supplies=HEAD + "olanzapine d-400 222\nolanzapine d-158 20\nolanzapine d-118 140",
    ),
]
