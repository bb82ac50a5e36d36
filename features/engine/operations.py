"""Which operation of which kernel computes each verb."""

from __future__ import annotations

from features.kernels import bookings, coverage, window_ops, window_totals
from features.spec import EVER, FADING_VERBS, Feature

WINDOW_OPS = {
    "count": window_ops.COUNT,
    "total": window_ops.TOTAL,
    "mean": window_ops.MEAN,
    "highest": window_ops.HIGHEST,
    "lowest": window_ops.LOWEST,
    "latest": window_ops.LATEST,
    "change": window_ops.CHANGE,
    "slope": window_ops.SLOPE,
    "distinct": window_ops.DISTINCT,
    "share": window_ops.SHARE,
    "days_since_last": window_ops.SINCE_LAST,
    "days_since_first": window_ops.SINCE_FIRST,
    "count_since": window_ops.COUNT_SINCE,
    "recent_share": window_ops.RECENT_SHARE,
    "fading_count": window_ops.FADING_COUNT,
    "fading_share": window_ops.FADING_SHARE,
    "gap_ratio": window_ops.GAP_RATIO,
    "percent_change": window_ops.PERCENT_CHANGE,
    "usual_provider": window_ops.USUAL_PROVIDER,
    "never_recorded": window_ops.NEVER_RECORDED,
}
COVERAGE_OPS = {
    "covered_share": coverage.COVERED,
    "covered_change": coverage.COVERED_CHANGE,
    "supply_gap_days": coverage.GAP,
    "supply_left_days": coverage.LEFT,
    "longest_supply_gap": coverage.LONGEST_GAP,
    "supply_gaps_over": coverage.GAPS_OVER,
    "interval_share": coverage.INTERVAL_SHARE,
    "pick_up_spread": coverage.PICK_UP_SPREAD,
    "in_hand_at_discharge": coverage.IN_HAND_AT_DISCHARGE,
}
DEPOT_OPS = {
    "depot_days_past_due": coverage.PAST_DUE,
    "depot_late_share": coverage.LATE_SHARE,
    "depot_late_band": coverage.LATE_BETWEEN,
    "depot_missed_windows": coverage.MISSED_WINDOWS,
}
BOOKING_OPS = {
    "days_to_next_booking": bookings.DAYS_TO_NEXT,
    "next_booking_lead": bookings.NEXT_LEAD,
    "bookings_ahead": bookings.AHEAD,
    "last_booking_lead": bookings.LAST_LEAD,
    "mean_booking_lead": bookings.MEAN_LEAD,
    "days_between_bookings": bookings.BETWEEN,
}
PLANNED_GAP_OPS = {"planned_gap": 0}
SPELL_OPS = {"days_in_spell": 0, "spell_length": 1}
NEEDS = {
    "total": window_totals.NEEDS_VALUES,
    "mean": window_totals.NEEDS_VALUES,
    "highest": window_totals.NEEDS_VALUES | window_totals.NEEDS_EXTREMES,
    "lowest": window_totals.NEEDS_VALUES | window_totals.NEEDS_EXTREMES,
    "latest": window_totals.NEEDS_VALUES | window_totals.NEEDS_ENDS | window_totals.NEEDS_NEWEST,
    "change": window_totals.NEEDS_VALUES | window_totals.NEEDS_ENDS,
    "percent_change": window_totals.NEEDS_VALUES | window_totals.NEEDS_ENDS,
    "slope": window_totals.NEEDS_VALUES | window_totals.NEEDS_TREND,
    "distinct": window_totals.NEEDS_DISTINCT,
    "usual_provider": window_totals.NEEDS_DISTINCT,
    "gap_ratio": window_totals.NEEDS_GAPS,
    "fading_count": window_totals.NEEDS_FADING,
    "fading_share": window_totals.NEEDS_FADING | window_totals.NEEDS_NEWEST,
    "days_since_last": window_totals.NEEDS_NEWEST,
    "days_since_first": window_totals.NEEDS_OLDEST,
    "never_recorded": window_totals.NEEDS_NEWEST,
}
"""What each window verb reads of an event besides its day: the bits of ``window_totals.NEEDS_*``."""

NEWEST_VERBS = ("days_since_last", "never_recorded", "latest")
"""Verbs that read the newest event alone."""
FOLLOWED_VERBS = ("days_since_first", "count_since", "recent_share")
"""Verbs that read the oldest event, or the newest ones until they know enough."""
WHOLE_VERBS = ("gap_ratio",)
"""Verbs that read events of the whole history, whatever the window."""
WHOLE = 2**30
"""More days than any history has."""


def reach(feature: Feature) -> int:
    """Days before ``as_of`` of which a window feature reads every event; 0 where its ends are enough."""
    if feature.verb in NEWEST_VERBS or feature.verb in FOLLOWED_VERBS:
        return 0
    if feature.verb in FADING_VERBS:
        return int(feature.number) * window_ops.FADED_AWAY
    return WHOLE if feature.window == EVER or feature.verb in WHOLE_VERBS else feature.window
