"""Clozapine, by docs/clinical.md section 4 and rows th001 to th027 and mp095 to mp102."""

from __future__ import annotations

from tests.spec.gaps.golden import family

LONG = """
medicine supplied_on days_supplied daily_dose_mg
clozapine d-700 400 300
clozapine d-300 360 300
"""
BLOOD_COUNT = [
    *family(  # after week 52: every 28 days, no grace; high from 1 day past due, critical from 3
        "CLZ_FBC_OVERDUE",
        """
        count  severity  due   overdue  verified  says
        d-27   -         -     -        -         -
        d-28   medium    d     0        yes       UK_schedule,_checked_on_2026-01-13);_due_today
        d-29   high      d-1   1        yes       every_28_days_now
        d-30   high      d-2   2        yes       every_28_days
        d-31   critical  d-3   3        yes       -
        d-34   critical  d-6   6        yes       -
        d-35   critical  d-7   7        yes       -
        d-90   critical  d-62  62       yes       last_recorded_d-90
        """,
        supplies=LONG,
        results="""
        test taken_on value
        anc {count} 6.1
        wbc {count} 6.1
        """,
    ),
    *family(  # weeks 1 to 18: every 7 days; weeks 19 to 52: every 14
        "CLZ_FBC_OVERDUE",
        """
        start  count  severity  due   overdue  says
        d-60   d-6    -         -     -        -
        d-60   d-7    medium    d     0        every_7_days
        d-60   d-8    high      d-1   1        every_7_days
        d-60   d-10   critical  d-3   3        every_7_days
        d-60   d-14   critical  d-7   7        in_week_9_since_it_was_started_on_d-60
        d-200  d-13   -         -     -        -
        d-200  d-14   medium    d     0        every_14_days
        d-200  d-15   high      d-1   1        every_14_days
        d-200  d-17   critical  d-3   3        every_14_days
        d-5    d-12   -         -     -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine {start} 300
        """,
        results="""
        test taken_on value
        anc {count} 4.4
        wbc {count} 6.1
        """,
    ),
    *family(  # the interval recorded wins over the weeks on treatment, in both directions, from the course's start on
        "CLZ_FBC_OVERDUE",
        """
        start  interval     entered  count  severity  due   overdue  says
        d-60   four_weekly  d-20     d-14   -         -     -        -
        d-60   four_weekly  d-20     d-29   high      d-1   1        every_28_days_now,_as_recorded_on_d-20
        d-60   four_weekly  d-61     d-14   critical  d-7   7        in_week_9_since
        d-60   4-weekly     d-20     d-14   -         -     -        -
        d-200  weekly       d-30     d-8    high      d-1   1        every_7_days_now,_as_recorded_on_d-30
        d-200  weekly       d-30     d-6    -         -     -        -
        d-200  fortnightly  d-30     d-14   medium    d     0        every_14_days_now,_as_recorded_on_d-30
        d-200  unknown      d-30     d-14   medium    d     0        in_week_29
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine {start} 300
        """,
        results="""
        test taken_on value
        anc {count} 4.4
        wbc {count} 8.0
        """,
        circumstances="""
        kind value from_on
        clozapine_interval {interval} {entered}
        """,
    ),
    *family(  # white cells and neutrophils are the count, once both are known; either alone and other tests are not
        "CLZ_FBC_OVERDUE",
        """
        test       value  known  white  severity  due  overdue
        wbc        6.0    d-2    -      critical  d-12  12
        anc        4.0    d-1    -      critical  d-12  12
        anc        4.0    d-1    d-1    -         -     -
        anc        4.0    d-1    d-2    -         -     -
        platelets  200    d-1    d-1    critical  d-12  12
        anc        6.0    d      d-1    critical  d-12  12
        anc        6.0    d-1    d      critical  d-12  12
        anc        6.0    d+3    d-1    critical  d-12  12
        potassium  4.0    d-1    d-1    critical  d-12  12
        """,
        supplies=LONG,
        results="""
        test taken_on value known_on
        anc d-40 6.0 d-40
        wbc d-40 6.0 d-40
        {test} d-3 {value} {known}
        wbc d-3 6.0 {white}
        """,
    ),
    *family(  # amber: twice weekly, every 3 days; red: daily; back to 4 weeks after green
        "CLZ_FBC_OVERDUE",
        """
        day   value  severity  due  overdue
        d-2   3.2    -         -    -
        d-3   3.2    medium    d    0
        d-4   3.2    high      d-1  1
        d-6   3.2    critical  d-3  3
        d-1   2.9    medium    d    0
        d-2   2.9    high      d-1  1
        d-4   2.9    critical  d-3  3
        d-4   3.5    -         -    -
        """,
        supplies=LONG,
        results="""
        test taken_on value
        anc d-20 6.0
        wbc d-20 6.0
        anc {day} 4.0
        wbc {day} {value}
        """,
    ),
    *family(  # a break past the service's limit: weekly for 6 weeks (restart on d-30)
        "CLZ_FBC_OVERDUE",
        """
        days  service  count  severity  due  overdue
        356   DMS      d-10   critical  d-3  3
        356   CPMS     d-10   -         -    -
        355   CPMS     d-10   critical  d-3  3
        357   DMS      d-10   -         -    -
        356   -        d-10   critical  d-3  3
        356   ZTAS     d-6    -         -    -
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine d-390 {days}
        clozapine d-30 60
        """,
        circumstances="""
        kind value from_on
        clozapine_service {service} d-390
        """,
        results="""
        test taken_on value
        anc {count} 6.0
        wbc {count} 6.1
        """,
    ),
    *family(
        "CLZ_FBC_OVERDUE",
        """
        why                           medicine    severity
        not_on_clozapine              olanzapine  -
        clozapine_stopped_a_year_ago  clozapine   -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-700 300
        """,
    ),
]

BREAK = [
    # more than 48 hours; the reset limit is 72 hours for DMS and ZTAS, 96 for CPMS, the stricter where not recorded
    *family(
        "CLZ_BREAK",
        """
        last   service   severity  due    overdue  verified  says
        d-29   DMS       -         -      -        -         -
        d-30   DMS       -         -      -        -         -
        d-31   DMS       critical  d-3    3        yes       not_past_72_hours_(DMS)
        d-32   DMS       critical  d-4    4        yes       past_72_hours_(DMS):_blood_count_weekly_for_6_weeks
        d-32   ZTAS      critical  d-4    4        yes       past_72_hours_(ZTAS):_blood
        d-32   Zaponex   critical  d-4    4        yes       past_72_hours_(ZAPONEX):_blood
        d-32   CPMS      critical  d-4    4        yes       not_past_96_hours_(CPMS)
        d-33   CPMS      critical  d-5    5        yes       past_96_hours_(CPMS):_blood
        d-32   Clozaril  critical  d-4    4        yes       not_past_96_hours
        d-31   -         critical  d-3    3        yes       monitoring_service_not_recorded,_the_stricter
        d-32   -         critical  d-4    4        yes       past_72_hours
        d-56   CPMS      critical  d-28   28       yes       past_96_hours
        d-57   CPMS      critical  d-29   29       no        new_start
        d-118  DMS       critical  d-90   90       no        new_start
        d-119  DMS       -         -      -        -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine {last} 28
        """,
        circumstances="""
        kind value from_on
        clozapine_service {service} d-200
        """,
    ),
    *family(  # reported missed doses, with supply in hand
        "CLZ_BREAK",
        """
        value     day   severity  says
        yes       d-1   high      how_long_is_not_recorded
        yes       d-14  high      missed_doses_reported_on_d-14
        yes       d-15  -         -
        no        d-1   -         -
        48_hours  d-1   -         -
        49_hours  d-1   critical  not_past_72
        72_hours  d-1   critical  not_past_72
        73_hours  d-1   critical  past_72
        2_days    d-1   -         -
        3_days    d-1   critical  72_hours_of_missed_doses
        """,
        supplies=LONG,
        circumstances="""
        kind value from_on
        reported_missed_doses {value} {day}
        """,
    ),
    *family(  # a level below detection counts for 28 days
        "CLZ_BREAK",
        """
        level  day   severity  verified  says
        0.04   d-3   high      no        below_detection
        0.05   d-3   -         -         -
        0.04   d-28  high      no        0.04
        0.04   d-29  -         -         -
        """,
        supplies=LONG,
        results="""
        test taken_on value
        clozapine_level {day} {level}
        """,
    ),
    *family(  # days in hospital are not missed days; carry-over is used up first; a supply known late is not one yet
        "CLZ_BREAK",
        """
        why                          first  second  known  in    out   severity  due   overdue
        in_hospital_now              d-40   -       -      d-20  d+1   -         -     -
        home_for_2_of_12_days        d-40   -       -      d-12  d-2   -         -     -
        home_for_3_of_12_days        d-40   -       -      d-12  d-3   critical  d-12  3
        carry_over_covers            d-56   d-30    d-30   -     -     -         -     -
        second_supply_not_known_yet  d-31   d-2     d      -     -     critical  d-3   3
        """,
        supplies="""
        medicine supplied_on days_supplied known_on
        clozapine {first} 28 {first}
        clozapine {second} 28 {known}
        """,
        stays="""
        admitted_on discharged_on
        {in} {out}
        """,
    ),
]

RESULT = [
    *family(  # general limits: white cells 3.5 and 3.0, neutrophils 2.0, 1.5 and 0.5
        "CLZ_RESULT_RED_AMBER",
        """
        test  value  severity  verified  says
        wbc   3.5    -         -         -
        wbc   3.49   high      yes       white_cells_3.49
        wbc   3.0    high      yes       amber
        wbc   2.99   critical  yes       red
        anc   2.0    -         -         -
        anc   1.99   high      yes       neutrophils_1.99
        anc   1.5    high      yes       amber
        anc   1.49   critical  yes       red
        anc   0.5    critical  yes       red
        anc   0.49   critical  yes       agranulocytosis
        platelets    50    -         -   -
        platelets    49.9  critical  no  platelets_49.9
        eosinophils  2.99  -         -   -
        eosinophils  3.0   critical  no  eosinophils_3
        """,
        supplies=LONG,
        results="""
        test taken_on value
        {test} d-2 {value}
        """,
    ),
    *family(  # registered for BEN: 0.5 lower on each
        "CLZ_RESULT_RED_AMBER",
        """
        test  value  ben         severity  verified  says
        wbc   3.49   registered  -         -         -
        wbc   3.0    yes         -         -         -
        wbc   2.99   yes         high      no        BEN_limits
        wbc   2.5    yes         high      no        amber
        wbc   2.49   yes         critical  no        red
        anc   1.5    yes         -         -         -
        anc   1.49   yes         high      no        amber
        anc   1.0    yes         high      no        amber
        anc   0.99   yes         critical  no        red
        wbc   2.99   no          critical  yes       red
        """,
        supplies=LONG,
        circumstances="""
        kind value from_on
        benign_ethnic_neutropenia {ben} d-400
        """,
        results="""
        test taken_on value
        {test} d-2 {value}
        """,
    ),
    *family(  # amber until a green, red until two in a row; a trend is shown; a result known late is not one yet
        "CLZ_RESULT_RED_AMBER",
        """
        one   two   three  known  severity  says
        3.2   6.0   -      -      -         -
        2.8   6.0   -      -      critical  1_of_2_green_results_since
        2.8   6.0   6.1    d-1    -         -
        2.8   6.0   6.1    d      critical  1_of_2_green_results_since
        2.8   3.2   6.1    d-1    critical  1_of_2_green_results_since
        4.2   3.8   3.4    d-1    high      falling_over_3_tests_(4.2,_3.8,_3.4)
        4.2   3.8   3.4    d+1    -         -
        4.2   3.9   3.6    d-1    -         -
        """,
        supplies=LONG,
        results="""
        test taken_on value known_on
        wbc d-9 {one} d-9
        wbc d-6 {two} d-6
        wbc d-3 {three} {known}
        """,
    ),
    *family(  # heart muscle in the first 8 weeks
        "CLZ_RESULT_RED_AMBER",
        """
        test      value  start  severity  verified
        troponin  1.9    d-20   -         -
        troponin  2      d-20   critical  no
        crp       49.9   d-20   -         -
        crp       50     d-20   high      no
        crp       100    d-20   critical  no
        crp       100    d-58   critical  no
        crp       100    d-59   -         -
        crp       100    d-1    -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine {start} 100
        """,
        results="""
        test taken_on value
        {test} d-2 {value}
        """,
    ),
    *family(  # and are shown for 4 weeks after them
        "CLZ_RESULT_RED_AMBER",
        """
        start  severity
        d-84   critical
        d-85   -
        """,
        supplies="""
        medicine supplied_on days_supplied
        clozapine {start} 100
        """,
        results="""
        test taken_on value
        crp d-30 100
        """,
    ),
    *family(
        "CLZ_RESULT_RED_AMBER",
        """
        why               medicine    severity
        not_on_clozapine  olanzapine  -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-30 60
        """,
        results="""
        test taken_on value
        wbc d-2 2.5
        """,
    ),
]

CASES = [*BLOOD_COUNT, *BREAK, *RESULT]
