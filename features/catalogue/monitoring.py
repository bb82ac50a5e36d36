"""Features of blood tests, levels and physical checks: time since, days past due, and the values."""

from __future__ import annotations

from features.catalogue.shorthand import FIVE_YEARS, YES_NO, feature
from features.engine import EVER, Feature, results_of, stream
from features.reference import PROTOCOLS, TESTS
from features.spec import Stream, Verb, outside

_ANY_RESULT = stream("results")
_ANY = ""
"""Every scope."""
_PHYSICAL = ("blood_pressure", "weight_bmi", "lipids", "hba1c", "smoking_status", "alcohol_status")


def _days_since(test: str, concept: str, words: str) -> Feature:
    return feature(
        f"days_since_{test}",
        concept,
        "days_since_last",
        results_of(test),
        FIVE_YEARS,
        f"Days since the last known {words}; missing if never recorded, never taken as normal.",
    )


def _past_due(name: str, concept: str, scope: str, tests: tuple[str, ...], words: str) -> Feature:
    return feature(
        name,
        concept,
        "days_past_due",
        _ANY_RESULT,
        ("days", -400, 730),
        f"Days past the date on which {words} fell due by the monitoring protocol; negative until then.",
        scope=scope,
        tests=tests,
    )


def _amount(name: str, verb: Verb, words: str, scope: str = _ANY, concept: str = "physical_checks") -> Feature:
    share = verb == "complete_share"
    return feature(
        name,
        concept,
        verb,
        _ANY_RESULT,
        ("proportion" if share else "tests", 0, 1 if share else 60),
        f"{'Share' if share else 'Number'} of scheduled tests and checks that {words}; a test asked for twice counts "
        f"once.",
        scope=scope,
    )


def _value(test: str, verb: Verb, window: int, concept: str, unit: str, low: float, high: float, why: str) -> Feature:
    suffix = "" if verb == "latest" else f"_{window}d" if window else ""
    return feature(
        f"{test}_{verb}{suffix}",
        concept,
        verb,
        stream("results", test=test),
        (unit, low, high),
        why,
        window=window,
        value="value",
    )


def _out(name: str, of: Stream, test: str, concept: str, words: str) -> tuple[Feature, Feature]:
    """Whether the latest value is out of range and unresolved, and how many were in the last year."""
    return (
        feature(
            f"{name}_unresolved",
            concept,
            "recent_share",
            of,
            YES_NO,
            f"Whether the latest {words} (thresholds.csv), with no result since that is not.",
            total=stream("results", test=test, given=("value",)),
            number=1,
        ),
        feature(
            f"{name}_365d",
            concept,
            "count",
            of,
            ("results", 0, 100),
            f"How often in the last year the {words} (thresholds.csv).",
            window=365,
            missing="zero",
        ),
    )


_SCOPED = (
    ("antipsychotic", "antipsychotic_any_except_clozapine", "antipsychotics", "physical_checks"),
    ("clozapine", "clozapine", "clozapine", "clozapine_blood"),
    ("lithium", "lithium", "lithium", "lithium_monitoring"),
    ("valproate", "valproate", "valproate", "physical_checks"),
    ("smi", "smi_any", "the annual physical health check", "physical_checks"),
    ("high_dose", "high_dose_or_combined_antipsychotics", "high-dose antipsychotics", "dose_burden"),
)
_BY_TEST = (
    ("egfr", "lithium_monitoring", "kidney function test"),
    ("u_and_e", "physical_checks", "urea and electrolytes"),
    ("tft", "lithium_monitoring", "thyroid function test"),
    ("calcium", "lithium_monitoring", "calcium"),
    ("lft", "physical_checks", "liver function test"),
    ("lipids", "physical_checks", "lipid test"),
    ("ecg_qtc", "physical_checks", "ECG"),
    ("prolactin", "side_effects", "prolactin"),
    ("movement_disorder_check", "side_effects", "movement disorder check"),
    ("constipation_check", "side_effects", "constipation check"),
    ("smoking_status", "physical_checks", "smoking status"),
    ("structured_medication_review", "reviews", "structured medication review"),
    ("adherence_review", "reviews", "adherence review"),
)
_NAMED = {test for test, _, _ in _BY_TEST} | {
    "fbc",
    "lithium_level",
    "annual_physical_health_check",
    "weight_bmi",
    "blood_pressure",
    "hba1c",
    "side_effect_scale",
}
_OTHER_TESTS = tuple(
    (test, "physical_checks", TESTS[test].label)
    for test in dict.fromkeys(row.test for row in PROTOCOLS)
    if test not in _NAMED and test not in ("wbc", "anc")
)
"""All other tests that a protocol schedules. They are rarely filled, but matter in a review when they are."""
_DUE_ONLY = (
    ("fbc", "clozapine_blood", "full blood count"),
    ("annual_physical_health_check", "physical_checks", "annual physical health check"),
    ("weight_bmi", "physical_checks", "weight or body mass index"),
    ("blood_pressure", "physical_checks", "blood pressure"),
    ("hba1c", "physical_checks", "HbA1c"),
    ("side_effect_scale", "side_effects", "side-effect scale"),
)

FEATURES: tuple[Feature, ...] = (
    _days_since("fbc", "clozapine_blood", "full blood count"),
    _past_due("clozapine_fbc_days_past_due", "clozapine_blood", "clozapine", ("fbc",), "the clozapine blood count"),
    _value(
        "anc",
        "latest",
        EVER,
        "clozapine_blood",
        "10^9/L",
        0,
        30,
        "Latest neutrophil count, which decides whether clozapine is stopped.",
    ),
    _value("wbc", "latest", EVER, "clozapine_blood", "10^9/L", 0, 50, "Latest white cell count."),
    _value(
        "clozapine_level",
        "latest",
        EVER,
        "clozapine_blood",
        "mg/L",
        0,
        5,
        "Latest clozapine level: falls with missed doses and with smoking.",
    ),
    _days_since("lithium_level", "lithium_monitoring", "lithium level"),
    _past_due("lithium_level_days_past_due", "lithium_monitoring", "lithium", ("lithium_level",), "the lithium level"),
    _past_due(
        "lithium_bloods_days_past_due",
        "lithium_monitoring",
        "lithium",
        ("egfr", "u_and_e", "tft", "calcium"),
        "the earliest of the kidney, thyroid and calcium tests on lithium",
    ),
    _value("lithium_level", "latest", EVER, "lithium_monitoring", "mmol/L", 0, 3, "Latest lithium level."),
    _value(
        "lithium_level",
        "change",
        365,
        "lithium_monitoring",
        "mmol/L",
        -3,
        3,
        "Change of the lithium level over the last year.",
    ),
    _value("egfr", "latest", EVER, "lithium_monitoring", "mL/min/1.73m2", 0, 150, "Latest kidney function."),
    _days_since("annual_physical_health_check", "physical_checks", "annual physical health check"),
    _days_since("blood_pressure", "physical_checks", "blood pressure"),
    _days_since("weight_bmi", "physical_checks", "weight or body mass index"),
    _days_since("hba1c", "physical_checks", "HbA1c or fasting glucose"),
    _past_due(
        "physical_checks_days_past_due",
        "physical_checks",
        "smi_any",
        _PHYSICAL,
        "the earliest of the six core physical checks",
    ),
    _amount("tests_due", "tests_due", "are due"),
    _amount("tests_overdue", "tests_overdue", "are past due and past their days of grace"),
    _amount("tests_unsure", "tests_unsure", "cannot be assessed from what is recorded"),
    _amount("tests_complete_share", "complete_share", "are not overdue"),
    *(
        _amount(f"{key}_tests_overdue", "tests_overdue", f"are overdue for {words}", scope, concept)
        for key, scope, words, concept in _SCOPED
    ),
    *(
        _amount(f"{key}_tests_due", "tests_due", f"are due for {words}", scope, concept)
        for key, scope, words, concept in _SCOPED
    ),
    *(
        _amount(f"{key}_tests_complete_share", "complete_share", f"are not overdue for {words}", scope, concept)
        for key, scope, words, concept in _SCOPED
    ),
    *(_days_since(test, concept, words) for test, concept, words in (*_BY_TEST, *_OTHER_TESTS)),
    *(
        _past_due(f"{test}_days_past_due", concept, _ANY, (test,), f"the {words}")
        for test, concept, words in (*_BY_TEST, *_OTHER_TESTS, *_DUE_ONLY)
    ),
    feature(
        "clozapine_blood_colour",
        "clozapine_blood",
        "blood_colour",
        _ANY_RESULT,
        ("0 green, 1 amber, 2 red", 0, 2),
        "Colour of the blood count in force: amber until a green count, red until two in a row; limits for benign "
        "ethnic neutropenia.",
        scope="clozapine",
    ),
    *_out(
        "lithium_level_high",
        outside("lithium_level", high="th032"),
        "lithium_level",
        "lithium_monitoring",
        "lithium level was 1.0 or more",
    ),
    *_out(
        "lithium_level_low",
        outside("lithium_level", low="th028"),
        "lithium_level",
        "lithium_monitoring",
        "lithium level was below 0.4",
    ),
    *_out(
        "clozapine_level_low",
        outside("clozapine_level", low="th016"),
        "clozapine_level",
        "clozapine_blood",
        "clozapine level was below 0.35",
    ),
    *_out(
        "clozapine_level_high",
        outside("clozapine_level", high="th018"),
        "clozapine_level",
        "clozapine_blood",
        "clozapine level was 0.6 or more",
    ),
    *_out("egfr_low", outside("egfr", low="th037"), "egfr", "lithium_monitoring", "kidney function was below 60"),
    *_out("tsh_out", outside("tsh", low="th046", high="th044"), "tsh", "lithium_monitoring", "TSH was out of range"),
    *_out(
        "calcium_high",
        outside("calcium_adjusted", high="th041"),
        "calcium_adjusted",
        "lithium_monitoring",
        "adjusted calcium was 2.6 or more",
    ),
    *_out("hba1c_high", outside("hba1c", high="th056"), "hba1c", "physical_checks", "HbA1c was 42 or more"),
    *_out(
        "systolic_high",
        outside("systolic_bp", high="th070"),
        "systolic_bp",
        "physical_checks",
        "systolic blood pressure was 140 or more",
    ),
    *_out(
        "cholesterol_high",
        outside("total_cholesterol", high="th078"),
        "total_cholesterol",
        "physical_checks",
        "cholesterol was 6 or more",
    ),
    *_out("qtc_long", outside("qtc", high="th053"), "qtc", "physical_checks", "QTc was 500 ms or more"),
    *_out(
        "potassium_low", outside("potassium", low="th055"), "potassium", "physical_checks", "potassium was below 3.5"
    ),
    *_out(
        "prolactin_high", outside("prolactin", high="th084"), "prolactin", "side_effects", "prolactin was 530 or more"
    ),
    *_out(
        "gass_high",
        outside("gass_total", high="th096"),
        "gass_total",
        "side_effects",
        "side-effect score was 22 or more",
    ),
    _value(
        "egfr",
        "slope",
        730,
        "lithium_monitoring",
        "mL/min/1.73m2 a year",
        -60,
        60,
        "Yearly slope of kidney function over two years.",
    ),
    _value(
        "lithium_level",
        "slope",
        365,
        "lithium_monitoring",
        "mmol/L a year",
        -5,
        5,
        "Yearly slope of the lithium level.",
    ),
    _value("weight", "slope", 365, "side_effects", "kg a year", -80, 80, "Yearly slope of weight over the last year."),
    _value(
        "weight",
        "percent_change",
        365,
        "side_effects",
        "%",
        -50,
        80,
        "Change of weight over the last year; 7% is clinically significant.",
    ),
    _value("weight", "change", EVER, "side_effects", "kg", -80, 80, "Change of weight since it was first recorded."),
    _value("qtc", "latest", EVER, "physical_checks", "ms", 300, 650, "Latest QTc interval."),
    _value("prolactin", "latest", EVER, "side_effects", "mIU/L", 0, 10000, "Latest prolactin."),
    _value(
        "sedation_score",
        "latest",
        EVER,
        "side_effects",
        "score",
        0,
        3,
        "Latest sedation score: tiredness is among the worries named most (CQC/Ipsos 2025).",
    ),
    _value("movement_score", "latest", EVER, "side_effects", "score", 0, 4, "Latest movement side-effect score."),
    _value(
        "gass_total", "change", 730, "side_effects", "score", -63, 63, "Change of the side-effect score over two years."
    ),
    _value("anc", "change", 90, "clozapine_blood", "10^9/L", -20, 20, "Change of the neutrophil count over 90 days."),
    _value(
        "weight",
        "change",
        365,
        "side_effects",
        "kg",
        -60,
        60,
        "Change of weight over the last year: the side effect people mind most.",
    ),
    _value("bmi", "latest", EVER, "physical_checks", "kg/m2", 10, 70, "Latest body mass index."),
    _value("hba1c", "latest", EVER, "physical_checks", "mmol/mol", 20, 150, "Latest HbA1c."),
    _days_since("side_effect_scale", "side_effects", "side-effect scale"),
    _value(
        "gass_total", "latest", EVER, "side_effects", "score", 0, 63, "Latest total of the Glasgow side-effect scale."
    ),
    feature(
        "results_365d",
        "data_freshness",
        "count",
        _ANY_RESULT,
        ("results", 0, 1000),
        "Results known from the last year: people who are not tested appear well in the record.",
        window=365,
        missing="zero",
    ),
)
