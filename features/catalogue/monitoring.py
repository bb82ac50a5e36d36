"""Blood tests, levels and physical checks: how long since, how far past due, and what the values say."""

from __future__ import annotations

from features.engine import EVER, Feature, results_of, stream

_ANY_RESULT = stream("results")
_PHYSICAL = ("blood_pressure", "weight_bmi", "lipids", "hba1c", "smoking_status", "alcohol_status")


def _days_since(test: str, concept: str, words: str) -> Feature:
    return Feature(
        name=f"days_since_{test}",
        concept=concept,
        verb="days_since_last",
        stream=results_of(test),
        window=EVER,
        missing="unknown",
        unit="days",
        low=0,
        high=1825,
        direction=0,
        why=f"Days since the last {words} that is known; never recorded is left missing, never taken as normal.",
    )


def _past_due(name: str, concept: str, scope: str, tests: tuple[str, ...], words: str) -> Feature:
    return Feature(
        name=name,
        concept=concept,
        verb="days_past_due",
        stream=_ANY_RESULT,
        scope=scope,
        tests=tests,
        window=EVER,
        missing="unknown",
        unit="days",
        low=-400,
        high=730,
        direction=0,
        why=f"Days past the date on which {words} fell due by the monitoring protocol; negative until then.",
    )


def _amount(name: str, verb: str, words: str) -> Feature:
    return Feature(
        name=name,
        concept="physical_checks",
        verb=verb,  # type: ignore[arg-type]
        stream=_ANY_RESULT,
        window=EVER,
        missing="unknown",
        unit="tests",
        low=0,
        high=60,
        direction=0,
        why=f"How many different tests and checks are {words} by every protocol that applies.",
    )


def _value(test: str, verb: str, window: int, concept: str, unit: str, low: float, high: float, why: str) -> Feature:
    suffix = "" if verb == "latest" else f"_{window}d" if window else ""
    return Feature(
        name=f"{test}_{verb}{suffix}",
        concept=concept,
        verb=verb,  # type: ignore[arg-type]
        stream=stream("results", test=test),
        value="value",
        window=window,
        missing="unknown",
        unit=unit,
        low=low,
        high=high,
        direction=0,
        why=why,
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
        "Latest neutrophil count, the value clozapine is stopped on.",
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
    _amount("tests_due", "tests_due", "due"),
    _amount("tests_overdue", "tests_overdue", "past due and past the days of grace"),
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
    Feature(
        name="results_365d",
        concept="data_freshness",
        verb="count",
        stream=_ANY_RESULT,
        window=365,
        missing="zero",
        unit="results",
        low=0,
        high=1000,
        direction=0,
        why="Results known from the last year: people who are not tested look well on paper.",
    ),
)
