"""Checks never recorded and side effects, by rows mp001 to mp062, mp126, mp127, mp147, mp222 and th084 to th099."""

from __future__ import annotations

from tests.spec.gaps.golden import family

NEVER = [
    *family(  # olanzapine since d-30: baseline weight was due on the first day, no grace (mp001); weekly then (mp002)
        "MONITORING_NEVER_DONE",
        """
        start  severity  due    overdue  says
        d      -         -      -        -
        d-1    low       d-1    1        weight_or_body_mass_index:_not_recorded
        d-30   low       d-30   30       HbA1c:_not_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine {start} 60
        """,
    ),
    *family(  # everything olanzapine asks for in its first weeks was done before it; what was recorded is never named
        "MONITORING_NEVER_DONE",
        """
        left_out                 severity  due    overdue  verified  says
        none                     -         -      -        -         -
        waist                    -         -      -        -         -
        prolactin                low       d-20   20       no        prolactin:_not_recorded
        movement_disorder_check  -         -      -        -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-20 60
        """,
        results="""
        test taken_on
        weight d-3
        waist d-25
        systolic_bp d-25
        pulse d-25
        hba1c d-25
        lipids d-25
        prolactin d-25
        u_and_e d-25
        fbc d-25
        lft d-25
        movement_disorder_check d-25
        smoking_status d-25
        """,
    ),
    *family(  # lithium asks for more, and requires it; its level and organs have codes of their own
        "MONITORING_OVERDUE",
        """
        known  severity  due    overdue  says
        d-25   -         -      -        -
        d-1    -         -      -        -
        d      medium    d-20   20       weight_or_body_mass_index:_not_recorded_(lithium)
        """,
        supplies="""
        medicine supplied_on days_supplied
        lithium d-20 60
        """,
        results="""
        test taken_on known_on
        weight d-25 {known}
        fbc d-25 d-25
        """,
    ),
    *family(  # the annual physical health check, 365 days and 28 of grace, for a recorded severe mental illness
        "MONITORING_NEVER_DONE",
        """
        code   day    severity  due    overdue  says
        F20.0  d-393  -         -      -        -
        F20.0  d-394  medium    d-29   29       annual_physical_health_check:_last_recorded_d-394
        F32.1  d-394  -         -      -        -
        """,
        conditions="""
        category system code label recorded_on
        diagnosis icd10 {code} x d-700
        """,
        referrals="""
        opened_on
        d-700
        """,
        results="""
        test taken_on
        annual_physical_health_check {day}
        alcohol_status d-30
        smoking_status d-30
        systolic_bp d-30
        weight d-30
        lipids d-30
        hba1c d-30
        """,
    ),
]


def _without(cases: list) -> list:
    """Takes the result that a case names out of its table."""
    for case in cases:
        left_out = case.name.split("left_out=")[1].split(" ")[0] if "left_out=" in case.name else ""
        if left_out:
            lines = case.tables["results"].splitlines()
            case.tables["results"] = "\n".join(line for line in lines if line.split()[0] != left_out)
    return cases


SIDE_EFFECTS = [
    *family(  # GASS 22 and 43, GASS for clozapine 17 and 33, prolactin 530 and 3180, movement and sedation 2
        "SIDE_EFFECT_BURDEN",
        """
        medicine    test                  value  day    severity  verified  says
        olanzapine  gass_total            21     d-9    -         -         -
        olanzapine  gass_total            22     d-9    medium    no        GASS_total_22
        olanzapine  gass_total            42     d-9    medium    no        moderate
        olanzapine  gass_total            43     d-9    high      no        severe
        clozapine   gass_clozapine_total  16     d-9    -         -         -
        clozapine   gass_clozapine_total  17     d-9    medium    no        moderate
        clozapine   gass_clozapine_total  33     d-9    high      no        severe
        olanzapine  prolactin             529    d-9    -         -         -
        olanzapine  prolactin             530    d-9    -         -         -
        olanzapine  prolactin             3179   d-9    medium    no        3179
        olanzapine  prolactin             3180   d-9    high      no        3180
        sertraline  prolactin             900    d-9    -         -         -
        olanzapine  movement_score        1      d-9    -         -         -
        olanzapine  movement_score        2      d-9    medium    no        movement_side-effect_score_2
        olanzapine  sedation_score        2      d-9    medium    no        sedation_score_2
        olanzapine  prolactin             1000   d-9    medium    no        1000
        olanzapine  prolactin             3180   d-366  high      no        not_repeated_in_over_a_year
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-100 130
        """,
        results="""
        test taken_on value
        side_effect_scale d-1 -
        {test} {day} {value}
        """,
    ),
    # not assessed: antipsychotics every 180 days and 30 of grace (mp046); lithium 180 and 28 (mp147); clozapine 180
    # and 30 (mp127)
    *family(  # a scale that is overdue, or was never used, is part of the annual check
        "SIDE_EFFECT_BURDEN",
        """
        medicine    day    severity
        olanzapine  d-400  -
        olanzapine  -      -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-700 400
        {medicine} d-300 330
        """,
        results="""
        test taken_on
        side_effect_scale {day}
        """,
    ),
]

CASES = [*_without(NEVER), *SIDE_EFFECTS]
