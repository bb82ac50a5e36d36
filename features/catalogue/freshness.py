"""Features of how fresh each source is. Missing records are a signal: no records does not mean that the person is
well.
"""

from __future__ import annotations

from features.catalogue.shorthand import FIVE_YEARS, SHARE, YES_NO, feature
from features.engine import Feature, Stream, stream


def _since(name: str, of: Stream, words: str) -> Feature:
    return feature(name, "data_freshness", "days_since_last", of, FIVE_YEARS, f"Days since the last known {words}.")


def _never(name: str, of: Stream, words: str) -> Feature:
    return feature(
        name,
        "data_freshness",
        "never_recorded",
        of,
        YES_NO,
        f"Whether no {words} has ever been recorded, which is not the same as normal.",
    )


def _present(name: str, of: Stream, column: str, words: str) -> Feature:
    return feature(
        name,
        "data_freshness",
        "share",
        Stream(of.table, of.where, of.unless, of.on, (column,)),
        SHARE,
        f"Share of the last year's rows that hold {words}.",
        window=365,
        total=of,
    )


FEATURES: tuple[Feature, ...] = (
    _since("days_since_any_result", stream("results"), "result of any test"),
    _since("days_since_any_contact_row", stream("contacts"), "contact of any outcome"),
    _since("days_since_any_supply", stream("supplies"), "supply of any medicine"),
    _since(
        "days_since_circumstance",
        stream("circumstances", unless={"kind": ("interpreter", "language", "housing", "accessible_format")}),
        "note of circumstances",
    ),
    _never("never_any_result", stream("results"), "result of any test"),
    _never("never_any_supply", stream("supplies"), "supply of any medicine"),
    _never("never_seen", stream("contacts", outcome="attended"), "attended contact"),
    _never("never_diagnosed", stream("conditions", category="diagnosis"), "diagnosis"),
    _never("never_allergy_status", stream("conditions", category="allergy"), "allergy status"),
    _since("days_since_allergy_status", stream("conditions", category="allergy"), "allergy status"),
    _present("supplies_with_dose_share_365d", stream("supplies"), "daily_dose_mg", "a daily dose"),
    _present("supplies_with_days_share_365d", stream("supplies"), "days_supplied", "the days supplied"),
    _present("contacts_with_staff_share_365d", stream("contacts"), "staff_id", "the member of staff"),
    _present("results_with_value_share_365d", stream("results"), "value", "a value"),
)
