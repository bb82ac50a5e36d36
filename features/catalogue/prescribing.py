"""Features of supply, adherence and depots."""

from __future__ import annotations

from features.catalogue.shorthand import SHARE, feature
from features.engine import Feature, supplies_of
from features.spec import Verb

_CLASSES = {
    "antipsychotic": ("oral antipsychotics", supplies_of("antipsychotic_any")),
    "clozapine": ("clozapine", supplies_of("clozapine")),
    "lithium": ("lithium", supplies_of("lithium")),
    "mood_stabiliser": ("other mood stabilisers", supplies_of("valproate", "carbamazepine", "lamotrigine")),
}
_DEPOT = supplies_of("antipsychotic_long_acting_injection")


def _supply(key: str) -> tuple[Feature, ...]:
    words, of = _CLASSES[key]
    return (
        feature(
            f"{key}_gap_days",
            "supply_gap",
            "supply_gap_days",
            of,
            ("days", 0, 730),
            f"Days since the supply of {words} ran out: the risk of relapse grows with the gap (Weiden 2004).",
            direction=+1,
        ),
        feature(
            f"{key}_supply_left_days",
            "supply_gap",
            "supply_left_days",
            of,
            ("days", 0, 180),
            f"Days of {words} still in hand, from recorded supplies.",
        ),
        feature(
            f"{key}_covered_share_90d",
            "adherence",
            "covered_share",
            of,
            SHARE,
            f"Proportion of the last 90 days covered by {words} (CMA7: carry-over from before, inpatient days "
            f"removed).",
            window=90,
            direction=-1,
        ),
        feature(
            f"{key}_covered_share_180d",
            "adherence",
            "covered_share",
            of,
            SHARE,
            f"Proportion of the last 180 days covered by {words} (CMA7).",
            window=180,
            direction=-1,
        ),
        feature(
            f"{key}_covered_change_90d",
            "adherence",
            "covered_change",
            of,
            ("proportion", -1, 1),
            f"Coverage by {words} in the last 90 days less that of the 90 days before: adherence that falls is seen "
            f"early.",
            window=90,
        ),
        feature(
            f"{key}_longest_gap_365d",
            "supply_gap",
            "longest_supply_gap",
            of,
            ("days", 0, 365),
            f"Longest run of days without {words} in the last year, inpatient days left out.",
            window=365,
            direction=+1,
        ),
        feature(
            f"{key}_gaps_over_14d_365d",
            "supply_gap",
            "supply_gaps_over",
            of,
            ("gaps", 0, 24),
            f"Gaps of more than 14 days in the supply of {words} in the last year.",
            window=365,
            direction=+1,
            number=14,
        ),
        feature(
            f"{key}_gaps_over_30d_365d",
            "supply_gap",
            "supply_gaps_over",
            of,
            ("gaps", 0, 12),
            f"Gaps of more than 30 days in the supply of {words} in the last year.",
            window=365,
            direction=+1,
            number=30,
        ),
        *(
            feature(
                f"{key}_interval_share_{window}d",
                "adherence",
                "interval_share",
                of,
                SHARE,
                f"CMA9 over {window} days for {words}: each supply's days over the days until the next; steadier than "
                f"CMA7 on rolling dates.",
                window=window,
                direction=-1,
            )
            for window in (90, 180)
        ),
        feature(
            f"{key}_covered_change_180d",
            "adherence",
            "covered_change",
            of,
            ("proportion", -1, 1),
            f"Coverage by {words} in the last 180 days less that of the 180 days before.",
            window=180,
        ),
        feature(
            f"{key}_pick_up_spread_365d",
            "adherence",
            "pick_up_spread",
            of,
            ("days", 0, 180),
            f"Spread of how late supplies of {words} were collected: an irregular rhythm precedes a gap.",
            window=365,
        ),
        feature(
            f"{key}_in_hand_at_discharge",
            "discharge_recency",
            "in_hand_at_discharge",
            of,
            ("days", 0, 180),
            f"Days of {words} in hand on the day of the last discharge, from recorded supplies.",
        ),
    )


def _depot_count(name: str, verb: Verb, number: int, words: str) -> Feature:
    return feature(
        name,
        "depot",
        verb,
        _DEPOT,
        ("injections", 0, 30),
        f"Long-acting injections of the last year {words}.",
        window=365,
        direction=+1,
        number=number,
    )


_DEPOTS = (
    feature(
        "depot_days_past_due",
        "depot",
        "depot_days_past_due",
        _DEPOT,
        ("days", -200, 90),
        "Days past the due date of the next long-acting injection; negative until it is due.",
        direction=+1,
    ),
    feature(
        "depot_late_share_365d",
        "depot",
        "depot_late_share",
        _DEPOT,
        SHARE,
        "Share of the last year's long-acting injections given more than 7 days late.",
        window=365,
        direction=+1,
        number=7,
    ),
    feature(
        "depot_injections_365d",
        "treatment",
        "count",
        _DEPOT,
        ("injections", 0, 60),
        "Long-acting injections recorded in the last year.",
        window=365,
        missing="zero",
    ),
)

_DEPOT_COUNTS = (
    _depot_count("depot_late_1_to_7d_365d", "depot_late_band", 0, "given 1 to 7 days late"),
    _depot_count("depot_late_8_to_14d_365d", "depot_late_band", 1, "given 8 to 14 days late"),
    _depot_count("depot_late_over_14d_365d", "depot_late_band", 2, "given more than 14 days late"),
    _depot_count(
        "depot_missed_windows_365d",
        "depot_missed_windows",
        0,
        "past the product's missed-dose limit, including the one due now",
    ),
)

_CLOZAPINE_BREAKS = feature(
    "clozapine_breaks_over_48h_365d",
    "supply_gap",
    "supply_gaps_over",
    supplies_of("clozapine"),
    ("breaks", 0, 50),
    "Breaks of more than 48 hours in clozapine supply in the last year: each means re-titration.",
    window=365,
    direction=+1,
    number=2,
)

FEATURES: tuple[Feature, ...] = (
    *(f for key in _CLASSES for f in _supply(key)),
    *_DEPOTS,
    *_DEPOT_COUNTS,
    _CLOZAPINE_BREAKS,
)
