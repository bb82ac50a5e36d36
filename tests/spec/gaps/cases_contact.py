"""Contact: missed, none, crisis, and needs that are not met (docs/clinical.md sections 1.1 and 2.1)."""

from __future__ import annotations

from tests.spec.gaps.golden import family

MISSED = [
    *family(  # both of the last two; a run of three is high
        "DNA_PATTERN",
        """
        one             two             three                 severity  verified  says
        attended        did_not_attend  did_not_attend        medium    no        the_last_2_offered_contacts_were_missed
        did_not_attend  did_not_attend  did_not_attend        high      no        the_last_3_offered_contacts
        did_not_attend  did_not_attend  attended              -         -         -
        did_not_attend  attended        did_not_attend        -         -         -
        did_not_attend  did_not_attend  cancelled_by_service  medium    no        the_last_2
        did_not_attend  did_not_attend  cancelled_by_patient  medium    no        the_last_2
        attended        attended        did_not_attend        -         -         -
        """,
        contacts="""
        contact_on outcome
        d-30 {one}
        d-20 {two}
        d-10 {three}
        """,
    ),
    *family(  # half or more of at least four in 180 days
        "DNA_PATTERN",
        """
        first  one             two             three     four            severity  says
        d-180  did_not_attend  attended        attended  did_not_attend  medium    2_of_4_offered_contacts_missed_in_180_days
        d-181  did_not_attend  attended        attended  did_not_attend  -         -
        d-180  attended        attended        attended  did_not_attend  -         -
        d-180  did_not_attend  did_not_attend  attended  attended        medium    2_of_4
        """,
        contacts="""
        contact_on outcome
        {first} {one}
        d-40 {two}
        d-20 {three}
        d-10 {four}
        """,
    ),
    *family(  # not by text, not with a carer, not yet known
        "DNA_PATTERN",
        """
        mode          kind     day    known  severity
        face_to_face  routine  d-10   d-1    medium
        telephone     routine  d-10   d-1    medium
        text          routine  d-10   d-1    -
        face_to_face  carer    d-10   d-1    -
        face_to_face  routine  d-10   d      -
        face_to_face  routine  d-179  d-1    medium
        """,
        contacts="""
        contact_on mode kind outcome outcome_known_on
        d-180 face_to_face routine did_not_attend d-150
        {day} {mode} {kind} did_not_attend {known}
        """,
    ),
]

SILENT = [
    *family(  # 90 days
        "NO_CONTACT",
        """
        mode          kind     outcome         day   severity  due  overdue  verified  says
        face_to_face  routine  attended        d-89  -         -    -        -         -
        face_to_face  routine  attended        d-90  high      d    0        no        last_seen_on_d-90,_90_days_ago
        video         routine  attended        d-91  high      d-1  1        no        91_days_ago
        telephone     routine  attended        d-5   -         -    -        -         -
        text          routine  attended        d-5   high      d-5  5        no        last_seen_on_d-95
        face_to_face  carer    attended        d-5   high      d-5  5        no        last_seen_on_d-95
        face_to_face  routine  did_not_attend  d-5   high      d-5  5        no        last_seen_on_d-95
        """,
        contacts="""
        contact_on mode kind outcome
        d-95 face_to_face routine attended
        {day} {mode} {kind} {outcome}
        """,
    ),
    *family(  # twice the own usual gap, where that is longer
        "NO_CONTACT",
        """
        one    two    three  severity  due   overdue  says
        d-259  d-199  d-139  high      d-19  19       own_usual_gap_60_days
        d-239  d-179  d-119  -         -     -        -
        d-240  d-180  d-120  high      d     0        own_usual_gap_60_days
        d-130  d-110  d-90   high      d     0        own_usual_gap_20_days
        """,
        contacts="""
        contact_on
        {one}
        {two}
        {three}
        """,
    ),
    *family(  # never seen: once a referral has been open for 28 days; silent where all are closed
        "NO_CONTACT",
        """
        opened  closed  known  severity  due   overdue  says
        d-27    d+9     d+9    -         -     -        -
        d-28    d+9     d+9    high      d     0        no_attended_contact_recorded_since_the_referral_of_d-28
        d-40    d+9     d+9    high      d-12  12       since_the_referral
        d-40    d-5     d-1    -         -     -        -
        d-40    d-5     d      high      d-12  12       since_the_referral
        """,
        referrals="""
        opened_on closed_on closed_known_on
        {opened} {closed} {known}
        """,
    ),
    *family(
        "NO_CONTACT",
        """
        why               in    out  severity  due   overdue
        in_hospital_now   d-10  d+1  -         -     -
        home_again        d-10  d-5  high      d-30  30
        """,
        contacts="""
        contact_on
        d-120
        """,
        stays="""
        admitted_on discharged_on
        {in} {out}
        """,
    ),
    *family(
        "NO_CONTACT",
        """
        why                    severity  says
        nothing_recorded_ever  high      no_attended_contact_recorded
        """,
        patients="""
        sex
        other
        """,
    ),
]

CRISIS = [
    *family(
        "CRISIS_SIGNAL",
        """
        kind             outcome         day   severity  verified  says
        crisis           attended        d-30  medium    no        1_in_the_last_30_days,_the_latest_on_d-30
        crisis           attended        d-31  -         -         -
        liaison          attended        d-2   medium    no        d-2
        place_of_safety  attended        d-2   medium    no        d-2
        crisis           did_not_attend  d-2   -         -         -
        routine          attended        d-2   -         -         -
        """,
        contacts="""
        contact_on kind outcome
        {day} {kind} {outcome}
        """,
    ),
    *family(  # two are high; a stay in a place of safety counts; a medicine started since is named
        "CRISIS_SIGNAL",
        """
        second  ward             start  severity  says
        d-5     acute            -      high      2_in_the_last_30_days
        -       acute            -      medium    1_in_the_last_30_days
        -       place_of_safety  -      high      2_in_the_last_30_days
        -       acute            d-7    medium    quetiapine_started_on_d-7
        """,
        contacts="""
        contact_on kind
        d-8 crisis
        {second} crisis
        """,
        stays="""
        admitted_on discharged_on ward
        d-6 d-4 {ward}
        """,
        supplies="""
        medicine supplied_on days_supplied
        quetiapine {start} 28
        """,
    ),
]

CRISIS += family(
    "CRISIS_SIGNAL",
    """
    in    ward             severity
    d-30  place_of_safety  medium
    d-31  place_of_safety  -
    d-30  acute            -
    """,
    stays="""
    admitted_on discharged_on ward
    {in} d-28 {ward}
    """,
)

NEEDS = [
    *family(
        "EQUALITY_NEED_UNMET",
        """
        kind                   value         severity  verified  says
        interpreter            required      medium    no        interpreter_need_recorded;_no_contact_with_an_interpreter_recorded
        interpreter            not_required  -         -         -
        interpreter            present       -         -         -
        accessible_format      easy_read     medium    no        accessible_format_need_recorded
        accessible_format      none          -         -         -
        accessible_format      provided      -         -         -
        reasonable_adjustment  needed        medium    no        adjustment_need_recorded
        reasonable_adjustment  in_place      -         -         -
        housing                hostel        -         -         -
        """,
        circumstances="""
        kind value from_on
        {kind} {value} d-60
        """,
    ),
    *family(  # an interpreter present in the last 365 days meets the need
        "EQUALITY_NEED_UNMET",
        """
        present  severity
        d-365    -
        d-366    medium
        """,
        circumstances="""
        kind value from_on
        interpreter required d-700
        interpreter_present yes {present}
        """,
    ),
    *family(  # a possible need for adjustments while none is recorded
        "EQUALITY_NEED_UNMET",
        """
        first      second     row       severity  says
        confirmed  no         -         low       adjustments_may_be_needed;_none_recorded
        no         suspected  -         low       adjustments_may_be_needed
        no         no         -         -         -
        confirmed  confirmed  in_place  -         -
        """,
        patients="""
        learning_disability autism
        {first} {second}
        """,
        circumstances="""
        kind value from_on
        reasonable_adjustment {row} d-60
        """,
    ),
]

CASES = [*MISSED, *SILENT, *CRISIS, *NEEDS]
