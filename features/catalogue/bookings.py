"""Features of bookings: when the next appointment is, how long ahead it was booked, and who cancelled.

An appointment that was booked before ``as_of`` for a day from it on is known, so it is no leak to read it. Its outcome
is not, so these features read a cancellation only where it was known before ``as_of``. Lead time is the days from
booking to appointment.
"""

from __future__ import annotations

from features.catalogue.shorthand import Scale, days_since, feature
from features.engine import Feature, Stream, stream
from features.records.attendance import CARER_KIND, DIRECT_MODES, WRITTEN_MODES
from features.spec import Verb

BOOKED = stream("contacts", given=("booked_on",), unless={"kind": (CARER_KIND,), "mode": WRITTEN_MODES})
REVIEWS = stream(
    "contacts", given=("booked_on",), unless={"mode": WRITTEN_MODES}, kind=("medicines_review", "care_review")
)
OWN_TEAMS = stream(
    "contacts",
    given=("booked_on",),
    unless={"mode": WRITTEN_MODES},
    kind=("routine", "medicines_review", "care_review"),
)
MET = stream("contacts", outcome="attended", mode=DIRECT_MODES, unless={"kind": (CARER_KIND,)})
MADE = stream("contacts", on="booked_on", unless={"kind": (CARER_KIND,), "mode": WRITTEN_MODES})
BY_PATIENT = stream("contacts", on="outcome_known_on", outcome="cancelled_by_patient")
BY_SERVICE = stream("contacts", on="outcome_known_on", outcome="cancelled_by_service")
BY_ANYBODY = stream("contacts", on="outcome_known_on", outcome=("cancelled_by_patient", "cancelled_by_service"))
_LEAD: Scale = ("days", 0, 365)
PLANNED_GAP_HALF_LIVES = (30, 90, 270)


def _booked(name: str, verb: Verb, scale: Scale, why: str, of: Stream = BOOKED, **rest: object) -> Feature:
    return feature(name, "bookings", verb, of, scale, why, **rest)  # type: ignore[arg-type]


FEATURES: tuple[Feature, ...] = (
    _booked("days_to_next_booking", "days_to_next_booking", _LEAD, "Days until the next appointment that is booked."),
    _booked(
        "next_booking_lead_days",
        "next_booking_lead",
        _LEAD,
        "Days from booking to the next appointment: people miss what was booked long ago more often.",
    ),
    _booked(
        "bookings_ahead",
        "bookings_ahead",
        ("appointments", 0, 50),
        "Appointments booked ahead: with none, nobody expects the person.",
        missing="zero",
    ),
    _booked(
        "days_to_next_review_booking",
        "days_to_next_booking",
        _LEAD,
        "Days until the next medicines or care review that is booked.",
        REVIEWS,
    ),
    _booked(
        "last_booking_lead_days",
        "last_booking_lead",
        _LEAD,
        "Days from booking to the last appointment that was not cancelled.",
    ),
    _booked(
        "mean_booking_lead_days_365d",
        "mean_booking_lead",
        _LEAD,
        "Mean days from booking to appointment, a year: how far ahead this person's appointments are booked.",
        window=365,
    ),
    _booked(
        "days_between_bookings",
        "days_between_bookings",
        ("days", 0, 730),
        "Days from the last appointment to the next one booked: the gap that the team plans.",
    ),
    *(
        feature(
            f"planned_gap_halved_every_{days}_days",
            "contact_amount",
            "planned_gap",
            OWN_TEAMS,
            _LEAD,
            "Days from a contact to the next appointment booked at it: mean on the log scale, each counted half for "
            f"every {days} days since. Staff see people who are less well sooner again.",
            number=days,
            total=MET,
        )
        for days in PLANNED_GAP_HALF_LIVES
    ),
    feature(
        "bookings_made_30d",
        "bookings",
        "count",
        MADE,
        ("appointments", 0, 100),
        "Appointments booked in the last 30 days, for any day.",
        window=30,
        missing="zero",
    ),
    days_since("days_since_booking_made", MADE, "bookings", "Days since an appointment was last booked."),
    *(
        feature(
            f"{name}_{window}d",
            "cancellations",
            "count",
            of,
            ("contacts", 0, 100),
            f"Appointments cancelled by the {who} in the last {window} days, also for days ahead.",
            window=window,
            missing="zero",
        )
        for name, of, who in (
            ("cancellations_by_patient", BY_PATIENT, "person"),
            ("cancellations_by_service", BY_SERVICE, "service"),
        )
        for window in (30, 90)
    ),
    feature(
        "last_cancellation_by_patient",
        "cancellations",
        "recent_share",
        BY_PATIENT,
        ("yes or no", 0, 1),
        "Whether the person, rather than the service, cancelled last.",
        total=BY_ANYBODY,
        number=1,
    ),
)
