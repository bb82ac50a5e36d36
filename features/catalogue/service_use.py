"""Features of admissions, crisis contacts, referrals and what the person has reported to the team."""

from __future__ import annotations

from features.catalogue.shorthand import days_since, feature
from features.engine import EVER, Feature, Stream, stream

CRISIS = stream("contacts", kind=("crisis", "liaison", "place_of_safety"), outcome="attended")
_ADMISSION = stream("stays", unless={"method": ("transfer",)})
_UNPLANNED = stream("stays", method=("emergency", "unknown"))
_DETAINED = stream("stays", legal_status=("section_2", "section_3", "section_4", "other_detention"))
_DISCHARGE = stream("stays", on="discharged_on")


def _count(name: str, of: Stream, window: int, concept: str, unit: str, why: str) -> Feature:
    return feature(name, concept, "count", of, (unit, 0, 100), why, window=window, direction=+1, missing="zero")


def _since(name: str, of: Stream, concept: str, direction: int, why: str) -> Feature:
    return days_since(name, of, concept, why, direction)


def _halved(key: str, of: Stream, half_lives: tuple[int, ...], concept: str, unit: str, words: str) -> list[Feature]:
    """Counts that fade: how often it happens to this person, without a jump when an event leaves a window."""
    return [
        feature(
            f"{key}_halved_every_{days}_days",
            concept,
            "fading_count",
            of,
            (unit, 0, 100),
            f"{words}, each counted half for every {days} days since.",
            direction=+1,
            missing="zero",
            number=days,
        )
        for days in half_lives
    ]


FEATURES: tuple[Feature, ...] = (
    *_halved("crisis_contacts", CRISIS, (90, 270), "crisis", "contacts", "Crisis contacts"),
    *_halved("unplanned_admissions", _UNPLANNED, (90, 270, 730), "admissions", "admissions", "Unplanned admissions"),
    _count(
        "crisis_contacts_30d",
        CRISIS,
        30,
        "crisis",
        "contacts",
        "Crisis, liaison and place-of-safety contacts in the last 30 days.",
    ),
    _count("crisis_contacts_90d", CRISIS, 90, "crisis", "contacts", "Crisis contacts in the last 90 days."),
    _count(
        "crisis_contacts_365d",
        CRISIS,
        365,
        "crisis",
        "contacts",
        "Crisis contacts in the last year: the strongest single rule.",
    ),
    _since("days_since_crisis", CRISIS, "crisis", 0, "Days since the last crisis contact."),
    _count("admissions_365d", _ADMISSION, 365, "admissions", "admissions", "Admissions in the last year."),
    _count(
        "unplanned_admissions_730d",
        _UNPLANNED,
        730,
        "admissions",
        "admissions",
        "Unplanned admissions in the last two years.",
    ),
    _count("admissions_ever", _ADMISSION, EVER, "admissions", "admissions", "Admissions on record."),
    _count("detentions_730d", _DETAINED, 730, "admissions", "admissions", "Detained admissions in the last two years."),
    feature(
        "bed_days_365d",
        "admissions",
        "days_in_spell",
        stream("stays"),
        ("days", 0, 365),
        "Days spent in hospital in the last year.",
        window=365,
        missing="zero",
    ),
    _since(
        "days_since_discharge",
        _DISCHARGE,
        "discharge_recency",
        0,
        "Days since the last discharge: the risk is highest at first and then falls.",
    ),
    _count(
        "discharges_28d",
        _DISCHARGE,
        28,
        "discharge_recency",
        "discharges",
        "Discharges in the last 28 days, the weeks of highest risk.",
    ),
    _count("discharges_90d", _DISCHARGE, 90, "discharge_recency", "discharges", "Discharges in the last 90 days."),
    feature(
        "referral_length_days",
        "time_in_service",
        "spell_length",
        stream("referrals"),
        ("days", 0, 5000),
        "Days since the current referral was opened.",
    ),
    feature(
        "days_since_first_contact",
        "time_in_service",
        "days_since_first",
        stream("contacts", outcome="attended"),
        ("days", 0, 5000),
        "Days since the first attended contact on record.",
    ),
    _count(
        "closed_referrals_730d",
        stream("referrals", on="closed_on"),
        730,
        "time_in_service",
        "referrals",
        "Referrals closed in the last two years.",
    ),
    _count(
        "closed_not_attending_ever",
        stream("referrals", on="closed_on", close_reason=("did_not_attend", "refused")),
        EVER,
        "missed_contacts",
        "referrals",
        "Referrals once closed for not attending or refusal.",
    ),
    _count(
        "planned_admissions_730d",
        stream("stays", method="planned"),
        730,
        "admissions",
        "admissions",
        "Planned admissions in the last two years.",
    ),
    feature(
        "bed_days_730d",
        "admissions",
        "days_in_spell",
        stream("stays"),
        ("days", 0, 730),
        "Days spent in hospital in the last two years.",
        window=730,
        missing="zero",
    ),
    feature(
        "teams_730d",
        "time_in_service",
        "distinct",
        stream("referrals"),
        ("teams", 0, 20),
        "Different teams the person was referred to in the last two years: transfers break continuity.",
        window=730,
        missing="zero",
        value="team_id",
    ),
    _since(
        "days_since_follow_up",
        stream("contacts", kind="follow_up_after_discharge", outcome="attended"),
        "discharge_recency",
        0,
        "Days since a follow-up after discharge.",
    ),
    _count(
        "place_of_safety_365d",
        stream("contacts", kind="place_of_safety"),
        365,
        "crisis",
        "contacts",
        "Place-of-safety contacts in the last year.",
    ),
    _since(
        "days_since_community_treatment_order",
        stream("circumstances", kind="community_treatment_order"),
        "time_in_service",
        0,
        "Days since a community treatment order was recorded.",
    ),
    _since(
        "days_since_reported_missed_doses",
        stream("circumstances", kind="reported_missed_doses"),
        "adherence",
        0,
        "Days since missed doses were last reported.",
    ),
    _since(
        "days_since_substance_use",
        stream("circumstances", kind="substance_use"),
        "substance_use",
        0,
        "Days since substance use was last recorded.",
    ),
)
