"""Contacts: attended, missed, cancelled and by whom; how long since, and against the person's own usual gap.

A contact is attended as the national access measure counts it (CLINICAL.md section 2.1): the person, seen face to face, by video or telephone.
"""

from __future__ import annotations

from features.engine import EVER, Feature, Stream, stream

DIRECT = ("face_to_face", "video", "telephone")
ATTENDED = stream("contacts", outcome="attended", mode=DIRECT, unless={"kind": ("carer",)})
MISSED = stream("contacts", outcome="did_not_attend", unless={"kind": ("carer",), "mode": ("text", "email")})
OFFERED = stream(
    "contacts", outcome=("attended", "did_not_attend"), unless={"kind": ("carer",), "mode": ("text", "email")}
)
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
        Feature(
            name=f"{key}_{window}d",
            concept=concept,
            verb="count",
            stream=of,
            window=window,
            missing="zero",
            unit="contacts",
            low=0,
            high=200,
            direction=direction,
            why=f"Contacts {words} in the last {window} days.",
        )
        for window in _WINDOWS
    )


def _share(name: str, of: Stream, total: Stream, window: int, concept: str, direction: int, why: str) -> Feature:
    return Feature(
        name=name,
        concept=concept,
        verb="share",
        stream=of,
        of=total,
        window=window,
        missing="unknown",
        unit="proportion",
        low=0,
        high=1,
        direction=direction,
        why=why,
    )


def _since(name: str, of: Stream, concept: str, why: str) -> Feature:
    return Feature(
        name=name,
        concept=concept,
        verb="days_since_last",
        stream=of,
        window=EVER,
        missing="unknown",
        unit="days",
        low=0,
        high=1825,
        direction=0,
        why=why,
    )


FEATURES: tuple[Feature, ...] = (
    *_counts("attended", ATTENDED, "contact_amount", 0, "attended"),
    *_counts("missed", MISSED, "missed_contacts", +1, "missed without notice"),
    *_counts("cancelled_by_patient", BY_PATIENT, "cancellations", 0, "cancelled by the person"),
    *_counts("cancelled_by_service", BY_SERVICE, "cancellations", 0, "cancelled by the service"),
    *(
        _share(
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
    _share(
        "missed_share_180d",
        MISSED,
        OFFERED,
        180,
        "missed_contacts",
        +1,
        "Missed contacts as a share of attended and missed, 180 days.",
    ),
    _share(
        "missed_share_365d",
        MISSED,
        OFFERED,
        365,
        "missed_contacts",
        +1,
        "Missed contacts as a share of attended and missed, a year.",
    ),
    _share(
        "in_sight_share_180d",
        IN_SIGHT,
        ATTENDED,
        180,
        "contact_amount",
        0,
        "Share of attended contacts face to face or by video, 180 days.",
    ),
    Feature(
        name="missed_of_last_two",
        concept="missed_contacts",
        verb="recent_share",
        stream=MISSED,
        of=OFFERED,
        number=2,
        window=EVER,
        missing="unknown",
        unit="proportion",
        low=0,
        high=1,
        direction=+1,
        why="Share of the last two offered contacts that were missed.",
    ),
    Feature(
        name="missed_since_attended",
        concept="missed_contacts",
        verb="count_since",
        stream=MISSED,
        of=ATTENDED,
        window=EVER,
        missing="zero",
        unit="contacts",
        low=0,
        high=50,
        direction=+1,
        why="Missed contacts since the person was last seen: the run that ends in losing touch.",
    ),
    _since("days_since_attended", ATTENDED, "contact_recency", "Days since the person was last seen."),
    _since(
        "days_since_in_sight",
        IN_SIGHT,
        "contact_recency",
        "Days since the person was last seen face to face or by video.",
    ),
    _since("days_since_missed", MISSED, "missed_contacts", "Days since a contact was last missed."),
    Feature(
        name="attended_gap_ratio",
        concept="contact_recency",
        verb="gap_ratio",
        stream=ATTENDED,
        window=EVER,
        missing="unknown",
        unit="times own usual gap",
        low=0,
        high=50,
        direction=0,
        why="Days since last seen over the person's own median gap between contacts.",
    ),
    _share(
        "unanswered_texts_share_180d",
        UNANSWERED,
        TEXTS,
        180,
        "missed_contacts",
        +1,
        "Share of text messages not answered, 180 days.",
    ),
    Feature(
        name="staff_180d",
        concept="continuity",
        verb="distinct",
        stream=ATTENDED,
        value="staff_id",
        window=180,
        missing="zero",
        unit="people",
        low=0,
        high=50,
        direction=0,
        why="Different members of staff seen in the last 180 days: people value seeing the same person.",
    ),
    *(
        Feature(
            name=f"usual_provider_share_{window}d",
            concept="continuity",
            verb="usual_provider",
            stream=ATTENDED,
            value="staff_id",
            window=window,
            missing="unknown",
            unit="proportion",
            low=0,
            high=1,
            direction=0,
            why=f"Share of the contacts of the last {window} days with the member of staff seen most (usual provider index).",
        )
        for window in (180, 365)
    ),
    Feature(
        name="care_coordinators_365d",
        concept="continuity",
        verb="count",
        stream=stream("circumstances", kind="care_coordinator"),
        window=365,
        missing="zero",
        unit="changes",
        low=0,
        high=20,
        direction=0,
        why="Care coordinators named in the last year: each change is a relationship to begin again.",
    ),
    _since(
        "days_since_care_coordinator",
        stream("circumstances", kind="care_coordinator"),
        "continuity",
        "Days since the care coordinator was last named.",
    ),
    _share(
        "cancelled_by_service_share_365d",
        BY_SERVICE,
        BOOKED,
        365,
        "cancellations",
        0,
        "Share of booked contacts cancelled by the service, a year.",
    ),
    _share(
        "cancelled_by_patient_share_365d",
        BY_PATIENT,
        BOOKED,
        365,
        "cancellations",
        0,
        "Share of booked contacts cancelled by the person, a year.",
    ),
    _share(
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
    _since(
        "days_since_side_effects_asked",
        stream("contacts", outcome="attended", kind=("medicines_review", "physical_health")),
        "side_effects",
        "Days since a contact at which side effects are asked about.",
    ),
    _since(
        "days_since_medicines_review",
        stream("contacts", outcome="attended", kind="medicines_review"),
        "reviews",
        "Days since the last medicines review.",
    ),
    _since(
        "days_since_care_review",
        stream("contacts", outcome="attended", kind="care_review"),
        "reviews",
        "Days since the last care review.",
    ),
)
