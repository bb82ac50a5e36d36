"""Codes that a pharmacist's review added: the limits on both sides. The whole people stand in the vignettes."""

from __future__ import annotations

from tests.spec.gaps.golden import family

CASES = [
    *family(
        "NO_ANTIPSYCHOTIC",
        """
        code   last    severity  due    overdue  verified  says
        F20.0  d-118   -         -      -        -         -
        F20.0  d-119   high      d-91   91       no        supply_ran_out_on_d-91,_91_days_ago
        F31.7  d-119   high      d-91   91       no        no_regular_antipsychotic_supplied_since
        F33.1  d-119   medium    d-91   91       no        -
        F33.1  d-393   medium    d-365  365      no        -
        F33.1  d-394   -         -      -        -         -
        -      d-119   high      d-91   91       no        diagnosis_not_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine {last} 28
        """,
        conditions="""
        category system code label recorded_on
        diagnosis icd10 {code} - d-700
        """,
    ),
    *family(
        "INTERACTION_STANDING",
        """
        start  severity  verified  says
        d-30   -         -         -
        d-31   high      yes       lithium_with_bendroflumethiazide_since_d-31
        """,
        supplies="""
        medicine supplied_on days_supplied
        lithium d-300 330
        bendroflumethiazide {start} 56
        """,
    ),
    *family(
        "STOCK_AT_HOME",
        """
        length  severity  says
        46      -         -
        47      medium    olanzapine:_29_days_of_supply_more
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-112 {length}
        olanzapine d-84 {length}
        olanzapine d-56 {length}
        olanzapine d-28 28
        """,
    ),
    *family(  # tablets for all but 2 days, or 3
        "LAI_SAFE_USE",
        """
        tablets  severity  says
        14       -         -
        13       high      oral_cover_to_d+5_not_recorded_for_3_days
        """,
        supplies="""
        medicine kind supplied_on interval_days days_supplied
        risperidone_microspheres_injection administered d-16 14 -
        risperidone dispensed d-16 - {tablets}
        """,
    ),
    *family(
        "ANTIPSYCHOTIC_NEED",
        """
        review  severity  says
        d-42    -         -
        d-43    high      risperidone_with_dementia_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied
        risperidone d-100 120
        """,
        conditions="""
        category system code label recorded_on
        diagnosis icd10 G30.1 - d-700
        """,
        contacts="""
        contact_on kind
        {review} medicines_review
        """,
    ),
]
