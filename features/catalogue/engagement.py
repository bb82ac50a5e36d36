"""Features of contacts: attended, missed, cancelled and by whom; time since, also relative to the person's own
usual gap.

A contact counts as attended by the rule of the national access measure (docs/clinical.md section 2.1): the person was
seen face to face, by video or by telephone.
"""

from __future__ import annotations

from features.catalogue.shorthand import SHARE, days_since, feature, share
from features.engine import Feature, Stream, stream
from features.records.attendance import CARER_KIND, DIRECT_MODES, WRITTEN_MODES

_NOT_MISSED = {"kind": (CARER_KIND,), "mode": WRITTEN_MODES}
ATTENDED = stream("contacts", outcome="attended", mode=DIRECT_MODES, unless={"kind": (CARER_KIND,)})
MISSED = stream("contacts", outcome="did_not_attend", unless=_NOT_MISSED)
OFFERED = stream("contacts", outcome=("attended", "did_not_attend"), unless=_NOT_MISSED)
BY_PATIENT = stream("contacts", outcome="cancelled_by_patient")
BY_SERVICE = stream("contacts", outcome="cancelled_by_service")
TEXTS = stream("contacts", mode="text", outcome=("attended", "did_not_attend"))
BOOKED = stream(
    "contacts",
    outcome=("attended", "did_not_attend", "cancelled_by_patient", "cancelled_by_service"),
    unless={"mode": ("text", "email")},
)
UNANSWERED = stream("contacts", mode="text", outcome="did_not_attend")
IN_SIGHT = stream("contacts", outcome="attended", mode=("face_to_face", "video"), unless={"kind": ("carer",)})
_WINDOWS = (30, 90, 180, 365)


def _counts(key: str, of: Stream, concept: str, direction: int, words: str) -> tuple[Feature, ...]:
    return tuple(
        feature(
            f"{key}_{window}d",
            concept,
            "count",
            of,
            ("contacts", 0, 200),
            f"Contacts {words} in the last {window} days.",
            window=window,
            direction=direction,
            missing="zero",
        )
        for window in _WINDOWS
    )


_NOT_OF_CARER = {"kind": (CARER_KIND,)}
ANSWERED_ANY = stream("contacts", outcome="attended", unless=_NOT_OF_CARER)
UNANSWERED_ANY = stream("contacts", outcome="did_not_attend", unless=_NOT_OF_CARER)
OFFERED_ANY = stream("contacts", outcome=("attended", "did_not_attend"), unless=_NOT_OF_CARER)
_HALF_LIVES = (14, 30, 90, 270)
"""Days after which a contact counts half as much: from the last weeks to the habit of years."""


def _halved(key: str, of: Stream, concept: str, direction: int, words: str) -> tuple[Feature, ...]:
    """Counts that fade instead of jumping when an event leaves a window, as an estimate of the person's habit would."""
    return tuple(
        feature(
            f"{key}_halved_every_{days}_days",
            concept,
            "fading_count",
            of,
            ("contacts", 0, 500),
            f"{words}, each counted half for every {days} days since.",
            direction=direction,
            missing="zero",
            number=days,
        )
        for days in _HALF_LIVES
    )


FEATURES: tuple[Feature, ...] = (
    *_counts("attended", ATTENDED, "contact_amount", 0, "attended"),
    *_counts("missed", MISSED, "missed_contacts", +1, "missed without notice"),
    *_counts("cancelled_by_patient", BY_PATIENT, "cancellations", 0, "cancelled by the person"),
    *_counts("cancelled_by_service", BY_SERVICE, "cancellations", 0, "cancelled by the service"),
    *_halved("answered", ANSWERED_ANY, "contact_amount", 0, "Contacts attended and messages answered"),
    *_halved("unanswered", UNANSWERED_ANY, "missed_contacts", +1, "Contacts missed and messages not answered"),
    *(
        feature(
            f"unanswered_share_halved_every_{days}_days",
            "missed_contacts",
            "fading_share",
            UNANSWERED_ANY,
            SHARE,
            f"Missed and unanswered as a share of all contacts and messages, each counted half for every {days} days "
            f"since.",
            direction=+1,
            total=OFFERED_ANY,
            number=days,
        )
        for days in _HALF_LIVES
    ),
    *(
        share(
            f"missed_share_{w}d",
            MISSED,
            OFFERED,
            w,
            "missed_contacts",
            +1,
            f"Missed contacts as a share of attended and missed, {w} days.",
        )
        for w in (30, 90)
    ),
    share(
        "missed_share_180d",
        MISSED,
        OFFERED,
        180,
        "missed_contacts",
        +1,
        "Missed contacts as a share of attended and missed, 180 days.",
    ),
    share(
        "missed_share_365d",
        MISSED,
        OFFERED,
        365,
        "missed_contacts",
        +1,
        "Missed contacts as a share of attended and missed, a year.",
    ),
    share(
        "in_sight_share_180d",
        IN_SIGHT,
        ATTENDED,
        180,
        "contact_amount",
        0,
        "Share of attended contacts face to face or by video, 180 days.",
    ),
    feature(
        "missed_of_last_two",
        "missed_contacts",
        "recent_share",
        MISSED,
        SHARE,
        "Share of the last two offered contacts that were missed.",
        direction=+1,
        total=OFFERED,
        number=2,
    ),
    feature(
        "missed_since_attended",
        "missed_contacts",
        "count_since",
        MISSED,
        ("contacts", 0, 50),
        "Missed contacts since the person was last seen.",
        direction=+1,
        missing="zero",
        total=ATTENDED,
    ),
    days_since("days_since_attended", ATTENDED, "contact_recency", "Days since the person was last seen."),
    days_since(
        "days_since_in_sight",
        IN_SIGHT,
        "contact_recency",
        "Days since the person was last seen face to face or by video.",
    ),
    days_since("days_since_missed", MISSED, "missed_contacts", "Days since a contact was last missed."),
    feature(
        "attended_gap_ratio",
        "contact_recency",
        "gap_ratio",
        ATTENDED,
        ("times own usual gap", 0, 50),
        "Days since last seen over the person's own median gap between contacts.",
    ),
    share(
        "unanswered_texts_share_180d",
        UNANSWERED,
        TEXTS,
        180,
        "missed_contacts",
        +1,
        "Share of text messages not answered, 180 days.",
    ),
    feature(
        "staff_180d",
        "continuity",
        "distinct",
        ATTENDED,
        ("people", 0, 50),
        "Different members of staff seen in the last 180 days: people value seeing the same person.",
        window=180,
        missing="zero",
        value="staff_id",
    ),
    *(
        feature(
            f"usual_provider_share_{window}d",
            "continuity",
            "usual_provider",
            ATTENDED,
            SHARE,
            f"Share of the contacts of the last {window} days with the member of staff seen most (usual provider "
            f"index).",
            window=window,
            value="staff_id",
        )
        for window in (180, 365)
    ),
    feature(
        "care_coordinators_365d",
        "continuity",
        "count",
        stream("circumstances", kind="care_coordinator"),
        ("changes", 0, 20),
        "Care coordinators named in the last year: each change means a new relationship.",
        window=365,
        missing="zero",
    ),
    days_since(
        "days_since_care_coordinator",
        stream("circumstances", kind="care_coordinator"),
        "continuity",
        "Days since the care coordinator was last named.",
    ),
    share(
        "cancelled_by_service_share_365d",
        BY_SERVICE,
        BOOKED,
        365,
        "cancellations",
        0,
        "Share of booked contacts cancelled by the service, a year.",
    ),
    share(
        "cancelled_by_patient_share_365d",
        BY_PATIENT,
        BOOKED,
        365,
        "cancellations",
        0,
        "Share of booked contacts cancelled by the person, a year.",
    ),
    share(
        "unanswered_texts_share_365d",
        UNANSWERED,
        TEXTS,
        365,
        "missed_contacts",
        +1,
        "Share of text messages not answered, a year.",
    ),
    *_counts(
        "outreach",
        stream("contacts", kind="outreach", outcome="attended"),
        "contact_amount",
        0,
        "made as outreach and attended",
    )[1:3],
    *_counts(
        "telephone",
        stream("contacts", outcome="attended", mode="telephone", unless={"kind": ("carer",)}),
        "contact_amount",
        0,
        "by telephone",
    )[1:3],
    days_since(
        "days_since_side_effects_asked",
        stream("contacts", outcome="attended", kind=("medicines_review", "physical_health")),
        "side_effects",
        "Days since a contact at which side effects are asked about.",
    ),
    days_since(
        "days_since_medicines_review",
        stream("contacts", outcome="attended", kind="medicines_review"),
        "reviews",
        "Days since the last medicines review.",
    ),
    days_since(
        "days_since_care_review",
        stream("contacts", outcome="attended", kind="care_review"),
        "reviews",
        "Days since the last care review.",
    ),
)
