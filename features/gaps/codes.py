"""The reason codes of CLINICAL.md section 1.1 that rules exist for."""

from __future__ import annotations

from features.gaps.gap import Code

CODES: dict[str, Code] = {
    code.code: code
    for code in (
        Code(
            "CLZ_FBC_OVERDUE",
            "Clozapine blood count overdue",
            True,
            "Arrange a blood count the same day; hold supply as the monitoring service advises; check supply at home.",
            "Weekly to week 18, fortnightly to week 52, then every 4 weeks",
        ),
        Code(
            "CLZ_BREAK",
            "Clozapine doses missed for more than 48 hours",
            True,
            "Do not resume the previous dose; re-titrate from 12.5 mg; tell the monitoring service; reset the blood counts if past its limit.",
            "Missed more than 48 hours: a treatment break",
        ),
        Code(
            "CLZ_RESULT_RED_AMBER",
            "Amber or red blood result on clozapine",
            True,
            "Amber: blood count twice weekly until green. Red: stop, daily blood count, haematology.",
            "White cells and neutrophils, general or benign ethnic neutropenia limits",
        ),
        Code(
            "LI_LEVEL_OVERDUE",
            "Lithium level overdue",
            True,
            "Arrange a 12-hour level with kidney function; send the lithium record book or app advice.",
            "Every 3 months in the first year and for people at higher risk, then every 6 months",
        ),
        Code(
            "LI_RENAL_THYROID_CALCIUM",
            "Lithium kidney, thyroid or calcium test overdue",
            True,
            "Arrange the tests that are due; refer to renal or endocrine services by the thresholds.",
            "Every 6 months on lithium",
        ),
        Code(
            "LAI_OVERDUE",
            "Long-acting injection overdue",
            True,
            "Contact the person; offer the injection as outreach; follow the product's rule for a missed dose.",
            "Due at the last injection plus its interval",
        ),
        Code(
            "SUPPLY_GAP_ORAL",
            "Gap in oral antipsychotic or mood stabiliser",
            False,
            "Call; explore the reason; simplify; consider a compliance aid, an injection or supervised supply.",
            "Supply recorded ran out 14 or more days ago",
        ),
        Code(
            "POST_DISCHARGE_RECONCILE",
            "Discharged in the last 28 days",
            True,
            "Reconcile medicines within 7 days; confirm supply and the date of any injection.",
            "Medicines reconciliation within 7 days of discharge",
        ),
        Code(
            "MONITORING_NEVER_DONE",
            "Baseline or annual check not recorded",
            False,
            "Book a physical health clinic; combine it with the next contact.",
            "Baseline and annual checks of the medicines taken",
        ),
        Code(
            "DNA_PATTERN",
            "Missing appointments",
            False,
            "Change mode, time or place; offer outreach; do not discharge automatically.",
            "Both of the last two offered contacts missed",
        ),
        Code(
            "NO_CONTACT",
            "No attended contact",
            False,
            "Welfare contact; check that medicines are still being collected.",
            "No attended contact for 90 days, or twice the person's own usual gap if longer",
        ),
        Code(
            "CRISIS_SIGNAL",
            "Recent crisis contact",
            False,
            "Joint review with the care coordinator.",
            "Crisis, liaison or place-of-safety contact in the last 30 days",
        ),
        Code(
            "MEDICINES_REVIEW_OVERDUE",
            "No medicines review in the last year",
            False,
            "Book a review; bring overdue checks and a side-effect scale together.",
            "Medicines review every year",
        ),
        Code(
            "ALLERGY_NOT_RECORDED",
            "Allergy status not recorded or not confirmed in a year",
            False,
            "Ask, record, and share with the GP.",
            "Allergy status recorded (none known counts) and confirmed every year",
        ),
    )
}
