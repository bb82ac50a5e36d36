"""Clozapine levels, what moves them, and the bowel: rows th016 to th019, th100, mp124, mp125, ix001 to ix003 and ix013
to ix017."""

from __future__ import annotations

from tests.spec.gaps.golden import family

LONG = """
medicine supplied_on days_supplied daily_dose_mg
clozapine d-700 400 300
clozapine d-300 360 300
"""

LEVEL = [
    *family(  # 0.35 to 0.6 mg/L; above 0.6; 1.0 and above; a level counts for a year
        "CLZ_LEVEL_SMOKING",
        """
        value  day    severity  verified  says
        0.34   d-10   medium    yes       level_0.34_mg/L_at_300_mg_a_day
        0.35   d-10   -         -         -
        0.6    d-10   -         -         -
        0.61   d-10   high      yes       0.61
        0.99   d-10   high      yes       0.99
        1.0    d-10   critical  yes       toxic_range
        1.4    d-365  critical  yes       toxic_range
        1.4    d-366  -         -         -
        """,
        supplies=LONG,
        results="""
        test taken_on value
        clozapine_level {day} {value}
        """,
    ),
    *family(  # smoking changed: a level is due at 7 days, until one is taken after the change
        "CLZ_LEVEL_SMOKING",
        """
        before        after         changed  level  severity  due    overdue  says
        smoker        ex_smoker     d-2      -      high      d+5    0        smoking_stopped_on_d-2
        smoker        e_cigarette   d-7      -      high      d      0        smoking_stopped
        smoker        ex_smoker     d-12     -      high      d-5    5        no_level_recorded_since
        ex_smoker     smoker        d-12     -      high      d-5    5        smoking_started_again
        ex_smoker     e_cigarette   d-12     -      -         -      -        -
        smoker        smoker        d-12     -      -         -      -        -
        smoker        ex_smoker     d-90     -      high      d-83   83       smoking_stopped
        smoker        ex_smoker     d-91     -      -         -      -        -
        smoker        ex_smoker     d-12     d-5    -         -      -        -
        smoker        ex_smoker     d-12     d-12   high      d-5    5        smoking_stopped
        """,
        supplies=LONG,
        circumstances="""
        kind value from_on
        smoking {before} d-400
        smoking {after} {changed}
        """,
        results="""
        test taken_on value
        clozapine_level d-200 0.5
        clozapine_level {level} 0.45
        """,
    ),
    *family(  # infection counts for 28 days, an inhibitor started for 30, and one that ended after 28 days for 30
        "CLZ_LEVEL_SMOKING",
        """
        infection  medicine       started  severity  due    overdue  verified  says
        d-3        -              -        high      d-3    3        yes       infection_recorded_on_d-3
        d-28       -              -        high      d-28   28       yes       level_needed_now
        d-29       -              -        -         -      -        -         -
        -          ciprofloxacin  d-10     high      d-3    3        no        ciprofloxacin_started_on_d-10
        -          fluvoxamine    d-30     high      d-23   23       no        fluvoxamine_started
        -          fluvoxamine    d-31     high      d+4    0        no        supply_of_fluvoxamine_ended_on_d-3
        -          fluvoxamine    d-58     high      d-23   23       no        supply_of_fluvoxamine_ended_on_d-30
        -          fluvoxamine    d-59     -         -      -        -         -
        -          levonorgestrel  d-10    medium    d-3    3        no        levonorgestrel_started
        -          amoxapine      d-10     -         -      -        -         -
        """,
        supplies=LONG
        + """
        {medicine} {started} 28 -
        """,
        circumstances="""
        kind value from_on
        infection yes {infection}
        """,
        results="""
        test taken_on value
        clozapine_level d-200 0.5
        """,
    ),
    *family(  # the yearly level: 60 days of grace; never taken is said too; a number a day that halves is a change
        "CLZ_LEVEL_SMOKING",
        """
        why                level   before     after    severity  due    overdue  says
        within_grace       d-425   smoker     smoker   -         -      -        -
        past_it            d-426   smoker     smoker   medium    d-61   61       last_recorded_d-426
        never_taken        -       smoker     smoker   medium    d-334  334      clozapine_level:_not_recorded
        halved             d-100   20_a_day   10_a_day  high     d-13   13       smoking_reduced
        a_little_less      d-100   20_a_day   11_a_day  -        -      -        -
        stopped            d-100   20_a_day   0_a_day  high      d-13   13       smoking_stopped
        not_known          d-100   smoker     unknown  -         -      -        -
        """,
        supplies=LONG,
        circumstances="""
        kind value from_on
        smoking {before} d-400
        smoking {after} d-20
        """,
        results="""
        test taken_on value
        clozapine_level {level} 0.5
        """,
    ),
    *family(
        "CLZ_LEVEL_SMOKING",
        """
        why                           known  severity
        change_not_known_yet          d      -
        """,
        supplies=LONG,
        circumstances="""
        kind value from_on known_on
        smoking smoker d-400 d-400
        smoking ex_smoker d-20 {known}
        """,
        results="""
        test taken_on value
        clozapine_level d-200 0.5
        """,
    ),
]

BOWEL = [
    *family(  # 3 days without a motion
        "CLZ_GI_HYPOMOTILITY",
        """
        test                       day    value  severity  due    overdue  says
        days_without_bowel_motion  d-2    2      -         -      -        -
        days_without_bowel_motion  d-2    3      critical  -      -        3_days_without
        days_without_bowel_motion  d-28   4      critical  -      -        4_days_without
        """,
        supplies=LONG,
        results="""
        test taken_on value
        {test} {day} {value}
        """,
    ),
    *family(  # asked every 28 days, 7 of grace
        "CLZ_GI_HYPOMOTILITY",
        """
        day    severity  due    overdue  says
        d-28   -         -      -        -
        d-35   -         -      -        -
        d-36   medium    d-8    8        last_recorded_d-36
        d-80   medium    d-52   52       last_recorded_d-80
        """,
        supplies=LONG,
        results="""
        test taken_on
        constipation_check {day}
        """,
    ),
    *family(  # constipating medicines stacked, no laxative
        "CLZ_GI_HYPOMOTILITY",
        """
        medicine      laxative   ended  severity  says
        codeine       -          28     high      codeine_with_clozapine;_no_laxative_recorded
        codeine       senna      28     -         -
        procyclidine  -          28     high      procyclidine_with
        procyclidine  macrogol   28     -         -
        haloperidol   -          28     -         -
        sertraline    -          28     -         -
        methadone     -          28     high      methadone_with
        """,
        supplies=LONG
        + """
        {medicine} d-10 {ended} -
        {laxative} d-10 {ended} -
        """,
        results="""
        test taken_on
        constipation_check d-3
        """,
    ),
]

CASES = [*LEVEL, *BOWEL]
