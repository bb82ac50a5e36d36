"""Contact, discharge and an interpreter: what is counted from where, and what exactly is missing."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, vignette

STAY = "admitted_on discharged_on\nd-60 d-10"
VIGNETTES = [
    vignette(
        "referred again 20 days ago, last seen two years ago: not yet",
        not_found=("NO_CONTACT",),
        contacts="contact_on\nd-700",
        referrals="opened_on closed_on\nd-20 -",
    ),
    vignette(
        "referred again 50 days ago and not seen: counted from this referral",
        Must("NO_CONTACT", "high", "since the referral of d-50; before it, last seen on d-700"),
        contacts="contact_on\nd-700",
        referrals="opened_on closed_on\nd-50 -",
    ),
    vignette(
        "moved to another team 20 days ago, seen there 10 days ago",
        not_found=("NO_CONTACT",),
        contacts="contact_on\nd-10",
        referrals="opened_on closed_on\nd-20 -",
    ),
    vignette(
        "nothing recorded but a referral of half a year ago",
        Must("NO_CONTACT", "high", "no attended contact"),
        referrals="opened_on closed_on\nd-200 -",
    ),
    vignette(
        "discharged ten days ago, phoned the next day: only the reconciliation is missing",
        Must(
            "POST_DISCHARGE_RECONCILE",
            "high",
            "no medicines review recorded since; seen on d-9",
            "reconcile medicines",
            never="see or phone",
            title="not yet reconciled",
        ),
        not_found=("POST_DISCHARGE_RECONCILE:72-hour",),
        stays=STAY,
        contacts="contact_on kind mode\nd-9 follow_up_after_discharge telephone",
    ),
    vignette(
        "discharged two days ago, phoned yesterday",
        Must("POST_DISCHARGE_RECONCILE", "medium", "no medicines review"),
        not_found=("POST_DISCHARGE_RECONCILE:72-hour",),
        stays="admitted_on discharged_on\nd-40 d-2",
        contacts="contact_on kind mode\nd-1 follow_up_after_discharge telephone",
    ),
    vignette(
        "discharged ten days ago and nothing since",
        Must("POST_DISCHARGE_RECONCILE", "high", "no 72-hour follow-up", "see or phone", title="neither"),
        stays=STAY,
    ),
    vignette(
        "discharged ten days ago, seen for a medicines review",
        not_found=("POST_DISCHARGE_RECONCILE",),
        stays=STAY,
        contacts="contact_on kind\nd-5 medicines_review",
    ),
    vignette(
        "interpreter required, none present",
        Must("EQUALITY_NEED_UNMET", "medium", "interpreter"),
        circumstances="kind value from_on\ninterpreter required d-90",
    ),
]
