"""Features of current medicines and their changes: doses against the maximum, combinations, burdens, starts, stops
and prescribers.
"""

from __future__ import annotations

from features.catalogue.shorthand import FIVE_YEARS, feature
from features.engine import Feature, stream, supplies_of

_PSYCHOTROPIC = supplies_of("psychotropic_any")


def _regimen(field: str, concept: str, unit: str, high: float, direction: int, why: str) -> Feature:
    return feature(
        field, concept, "regimen", stream("supplies"), (unit, 0, high), why, direction=direction, value=field
    )


_REGIMEN = (
    _regimen(
        "percent_of_max",
        "dose_burden",
        "% of maximum",
        500,
        0,
        "Antipsychotic doses as percentages of their maximum, summed (RCPsych CR190).",
    ),
    _regimen("antipsychotics", "dose_burden", "medicines", 10, 0, "Antipsychotics taken now."),
    _regimen(
        "antipsychotics_60d",
        "dose_burden",
        "medicines",
        10,
        0,
        "Antipsychotics taken for more than 60 days: combinations other than a cross-taper.",
    ),
    _regimen("psychotropics", "dose_burden", "medicines", 20, 0, "Psychotropics taken now."),
    _regimen("psychotropics_60d", "dose_burden", "medicines", 20, 0, "Psychotropics taken for more than 60 days."),
    _regimen(
        "regular_items",
        "dose_burden",
        "medicines",
        30,
        0,
        "Regular medicines taken now: complex plans are hard to keep (25% of staff say so, CQC/Ipsos 2025).",
    ),
    _regimen("as_required_items", "dose_burden", "medicines", 20, 0, "As-required medicines in hand now."),
    _regimen("acb_total", "side_effects", "score", 40, 0, "Anticholinergic scores of current medicines, summed."),
    _regimen(
        "acb_high_days", "side_effects", "days", 3650, 0, "Days for which the anticholinergic sum has been 3 or more."
    ),
    _regimen(
        "high_dose_days", "dose_burden", "days", 3650, 0, "Days for which doses have added up to more than the maximum."
    ),
    _regimen("qt_medicines", "dose_burden", "medicines", 10, 0, "QT-prolonging medicines taken now."),
    _regimen(
        "dependence_days",
        "dose_burden",
        "days",
        3650,
        0,
        "Days on the longest current dependence-forming medicine (NICE NG215).",
    ),
    _regimen(
        "procyclidine_days",
        "side_effects",
        "days",
        3650,
        0,
        "Days on procyclidine: past three months it should be reviewed.",
    ),
    _regimen("starts_28d", "regimen_change", "medicines", 10, 0, "Psychotropics started in the last 28 days."),
    _regimen("starts_90d", "regimen_change", "medicines", 10, 0, "Psychotropics started in the last 90 days."),
    _regimen(
        "stops_28d",
        "regimen_change",
        "medicines",
        10,
        +1,
        "Psychotropics confirmed as stopped in the last 28 days.",
    ),
    _regimen(
        "stops_90d",
        "regimen_change",
        "medicines",
        10,
        +1,
        "Psychotropics confirmed as stopped in the last 90 days.",
    ),
    _regimen(
        "switches_90d",
        "regimen_change",
        "switches",
        10,
        0,
        "Switches within a family of medicines in the last 90 days.",
    ),
    _regimen("dose_changes_28d", "regimen_change", "changes", 20, 0, "Dose changes in the last 28 days."),
    _regimen("dose_changes_90d", "regimen_change", "changes", 20, 0, "Dose changes in the last 90 days."),
    *(
        _regimen(
            f"dose_rises_halved_every_{days}_days",
            "regimen_change",
            "rises",
            20,
            0,
            f"Rises of the dose of a regular psychotropic, each counted half for every {days} days since: a dose is "
            "raised when symptoms are not under control.",
        )
        for days in (30, 90, 270)
    ),
    _regimen(
        "days_since_change",
        "regimen_change",
        "days",
        1825,
        0,
        "Days since a psychotropic was started, stopped or changed in dose.",
    ),
    _regimen(
        "prescriber_changes_180d",
        "shared_care",
        "changes",
        20,
        0,
        "Changes of prescriber between trust and GP in the last 180 days.",
    ),
    _regimen(
        "shared_prescribing_90d",
        "shared_care",
        "medicines",
        10,
        0,
        "Medicines prescribed by both trust and GP in the last 90 days: responsibility may be unclear.",
    ),
    _regimen(
        "interactions", "dose_burden", "pairs", 20, 0, "Pairs of current medicines with an interaction that matters."
    ),
    _regimen("new_interactions_30d", "dose_burden", "pairs", 20, 0, "Such pairs that are new in the last 30 days."),
    _regimen(
        "longest_course_days", "treatment", "days", 3650, 0, "Days on the psychotropic taken longest without a break."
    ),
)

_CHANGES = (
    feature(
        "psychotropics_180d",
        "treatment",
        "distinct",
        _PSYCHOTROPIC,
        ("medicines", 0, 20),
        "Different psychotropics supplied in the last 180 days: complex regimens are harder to take.",
        window=180,
        missing="zero",
        value="medicine",
    ),
    feature(
        "antipsychotics_90d",
        "treatment",
        "distinct",
        supplies_of("antipsychotic_any"),
        ("medicines", 0, 10),
        "Different antipsychotics supplied in the last 90 days: combinations go with readmission (Kadra 2018).",
        window=90,
        missing="zero",
        value="medicine",
    ),
    feature(
        "days_since_any_psychotropic",
        "supply_gap",
        "days_since_last",
        _PSYCHOTROPIC,
        FIVE_YEARS,
        "Days since any psychotropic was supplied or given.",
    ),
    feature(
        "days_since_first_antipsychotic",
        "treatment",
        "days_since_first",
        supplies_of("antipsychotic_any"),
        ("days", 0, 3650),
        "Days since the first antipsychotic on record: how long treatment has been known.",
    ),
    feature(
        "antipsychotic_dose_change_90d",
        "regimen_change",
        "change",
        supplies_of("antipsychotic_any", route="oral"),
        ("mg a day", -2000, 2000),
        "Daily dose of the latest oral antipsychotic supply less that of the earliest in the last 90 days.",
        window=90,
        value="daily_dose_mg",
    ),
    feature(
        "as_required_supplies_90d",
        "regimen_change",
        "count",
        stream("supplies", as_required="true"),
        ("supplies", 0, 60),
        "As-required supplies in the last 90 days: often a sign of distress or side effects.",
        window=90,
        missing="zero",
    ),
    feature(
        "benzodiazepine_supplies_90d",
        "regimen_change",
        "count",
        supplies_of("benzodiazepine_or_z_drug"),
        ("supplies", 0, 60),
        "Benzodiazepine or z-drug supplies in the last 90 days.",
        window=90,
        missing="zero",
    ),
)

FEATURES: tuple[Feature, ...] = (*_REGIMEN, *_CHANGES)
