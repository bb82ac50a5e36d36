"""What changed lately: starts and stops, a discharge, who prescribes (docs/clinical.md section 1.1)."""

from __future__ import annotations

from tests.spec.gaps.golden import family

CHANGE = [
    *family(  # a start in the last 28 days; review due 14 days after
        "REGIMEN_CHANGE_RECENT",
        """
        start  severity  due    overdue  verified  says
        d-1    medium    d+13   0        no        sertraline_started_on_d-1
        d-14   medium    d      0        no        sertraline_started
        d-15   medium    d-1    1        no        sertraline_started
        d-28   medium    d-14   14       no        sertraline_started
        d-29   -         -      -        -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-300 330
        sertraline {start} 56
        """,
    ),
    *family(  # a stop counts 28 days after supply ran out, for 28 days; with nothing of its family it is high
        "REGIMEN_CHANGE_RECENT",
        """
        first       last   other       severity  due    overdue  says
        olanzapine  d-56   quetiapine  -         -      -        -
        olanzapine  d-57   quetiapine  medium    d+13   0        olanzapine_supply_ran_out_on_d-29
        olanzapine  d-57   sertraline  high      d+13   0        with_no_replacement_recorded
        olanzapine  d-84   sertraline  high      d-14   14       ran_out_on_d-56_with_no_replacement
        olanzapine  d-85   sertraline  -         -      -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {other} d-300 330
        {first} {last} 28
        """,
    ),
    *family(  # settled by an attended medicines or care review since; not psychotropic; as required
        "REGIMEN_CHANGE_RECENT",
        """
        medicine    required  kind              outcome          day    severity  due  overdue
        sertraline  false     medicines_review  attended         d-10   -         -    -
        sertraline  false     medicines_review  attended         d-9    -         -    -
        sertraline  false     medicines_review  attended         d-11   medium  d+4  0
        sertraline  false     medicines_review  did_not_attend   d-5    medium  d+4  0
        sertraline  false     routine           attended         d-5    medium  d+4  0
        sertraline  false     care_review       attended         d-5    -         -    -
        ibuprofen   false     routine           attended         d-5    -         -    -
        lorazepam   true      routine           attended         d-5    -         -    -
        """,
        supplies="""
        medicine supplied_on days_supplied as_required
        {medicine} d-10 28 {required}
        """,
        contacts="""
        contact_on kind outcome
        {day} {kind} {outcome}
        """,
    ),
]

DISCHARGE = [
    *family(  # within 28 days; follow-up due at 3, reconciliation at 7
        "POST_DISCHARGE_RECONCILE",
        """
        out   severity  due    overdue  verified  says
        d-1   medium    d+2    0        no        no_72-hour_follow-up_recorded
        d-3   medium    d      0        no        no_medicines_review_recorded_since
        d-4   high      d-1    1        no        discharged_on_d-4
        d-28  high      d-25   25       no        discharged_on_d-28
        d-29  -         -      -        -         -
        """,
        stays="""
        admitted_on discharged_on ward
        d-60 {out} acute
        """,
    ),
    *family(  # what settles it
        "POST_DISCHARGE_RECONCILE",
        """
        out  day  kind              outcome         severity  due   overdue  says
        d-5  d-4  routine           attended        medium    d+2   0        no_medicines_review
        d-7  d-6  routine           attended        medium    d     0        no_medicines_review
        d-8  d-6  routine           attended        high      d-1   1        no_medicines_review
        d-5  d-4  medicines_review  attended        -         -     -        -
        d-5  d-4  medicines_review  did_not_attend  high      d-2   2        no_72-hour_follow-up
        d-5  d-5  routine           attended        medium    d+2   0        no_medicines_review
        d-5  d-6  routine           attended        high      d-2   2        no_72-hour_follow-up
        d-5  d-9  medicines_review  attended        high      d-2   2        no_72-hour_follow-up
        d-5  d-4  carer             attended        high      d-2   2        no_72-hour_follow-up
        """,
        stays="""
        admitted_on discharged_on ward
        d-60 {out} acute
        """,
        contacts="""
        contact_on kind outcome
        {day} {kind} {outcome}
        """,
    ),
    *family(
        "POST_DISCHARGE_RECONCILE",
        """
        why                      ward             out  known  severity  due  overdue
        place_of_safety          place_of_safety  d-5  d-5    -         -    -
        discharge_not_known_yet  acute            d-5  d      -         -    -
        discharge_known          acute            d-5  d-1    high      d-2  2
        """,
        stays="""
        admitted_on discharged_on ward discharge_known_on
        d-60 {out} {ward} {known}
        """,
    ),
    *family(
        "POST_DISCHARGE_RECONCILE",
        """
        why                     severity  due  overdue  says
        names_the_injection     medium    d+1  0        next_haloperidol_decanoate_injection_due_d+8
        """,
        stays="""
        admitted_on discharged_on
        d-60 d-2
        """,
        supplies="""
        medicine kind supplied_on interval_days
        haloperidol_decanoate_injection administered d-20 28
        """,
    ),
]

SHARED = [
    *family(  # both supply one medicine in 90 days, or the prescriber changed in 90
        "SHARED_CARE_UNCLEAR",
        """
        medicine    trust  gp     severity  says
        olanzapine  d-90   d-5    low       olanzapine:_supplied_by_trust_and_GP
        olanzapine  d-120  d-90   low       prescriber_changed_from_trust_to_gp_on_d-90
        olanzapine  d-120  d-91   -         -
        lithium     d-60   d-30   medium    lithium:_supplied_by_trust_and_GP
        valproate   d-120  d-60   medium    prescriber_changed
        clozapine   d-60   d-30   medium    clozapine
        olanzapine  d-60   -      -         -
        olanzapine  -      d-60   -         -
        """,
        supplies="""
        medicine supplied_on days_supplied prescriber
        {medicine} {trust} 56 trust
        {medicine} {gp} 56 gp
        """,
    ),
    *family(  # an agreement about an older transfer does not
        "SHARED_CARE_UNCLEAR",
        """
        agreed  severity  says
        d-120   -         -
        d-121   medium    is_older_than_this_transfer
        d-4000  medium    is_older_than_this_transfer
        """,
        supplies="""
        medicine supplied_on days_supplied prescriber
        lithium d-60 28 trust
        lithium d-30 28 gp
        """,
        conditions="""
        category code label recorded_on
        shared_care x x {agreed}
        """,
    ),
    *family(  # an agreement settles it, once it is known
        "SHARED_CARE_UNCLEAR",
        """
        category     known  severity
        shared_care  d-5    -
        shared_care  d      medium
        diagnosis    d-5    medium
        """,
        supplies="""
        medicine supplied_on days_supplied prescriber
        lithium d-60 28 trust
        lithium d-30 28 gp
        """,
        conditions="""
        category code label recorded_on known_on
        {category} x x d-20 {known}
        """,
    ),
]

CASES = [*CHANGE, *DISCHARGE, *SHARED]
