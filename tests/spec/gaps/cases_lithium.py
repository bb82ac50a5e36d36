"""Lithium, by rows th028 to th050, mp138 to mp146 and ix024 to ix028."""

from __future__ import annotations

from tests.spec.gaps.golden import Case, family

LONG = """
medicine supplied_on days_supplied daily_dose_mg
lithium d-800 400 800
lithium d-400 400 800
lithium d-30 60 800
"""
LEVEL_DUE = [
    *family(  # first year: every 90 days and 14 of grace
        "LI_LEVEL_OVERDUE",
        """
        level   severity  due    overdue  verified  says
        d-104   -         -      -        -         -
        d-105   high      d-15   15       yes       last_recorded_d-105
        d-150   high      d-60   60       yes       last_recorded_d-150
        """,
        supplies="""
        medicine supplied_on days_supplied
        lithium d-250 300
        """,
        results="""
        test taken_on value
        lithium_level {level} 0.6
        """,
    ),
    # after a year: every 180 days and 28 of grace; with an interacting medicine or a last level of 0.8 every 90 and 14
    *family(
        "LI_LEVEL_OVERDUE",
        """
        level   value  with       severity  due    overdue  says
        d-208   0.6    -          -         -      -        -
        d-209   0.6    -          high      d-29   29       last_recorded_d-209
        d-104   0.8    -          -         -      -        -
        d-105   0.8    -          high      d-15   15       higher-risk_group:_last_level_0.8
        d-105   0.79   -          -         -      -        -
        d-104   0.6    ramipril   -         -      -        -
        d-105   0.6    ramipril   high      d-15   15       higher-risk_group:_with_ramipril
        d-105   0.6    ibuprofen  high      d-15   15       with_ibuprofen
        d-105   0.6    sertraline  -        -      -        -
        """,
        patients="""
        birth_date sex
        1980-01-01 male
        """,
        supplies=LONG
        + """
        {with} d-300 400 -
        """,
        results="""
        test taken_on value
        lithium_level {level} {value}
        """,
    ),
    *family(  # the higher-risk group counts years lived (65 and over) and never names them
        "LI_LEVEL_OVERDUE",
        """
        born        severity  due   overdue
        1960-07-05  -         -     -
        1960-06-25  high      d-15  15
        """,
        patients="""
        birth_date sex
        {born} female
        """,
        supplies=LONG,
        results="""
        test taken_on value
        lithium_level d-105 0.6
        """,
    ),
    *family(
        "LI_LEVEL_OVERDUE",
        """
        why             medicine       severity
        not_on_lithium  carbamazepine  -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-250 300
        """,
    ),
]

LEVEL = [
    *family(  # bands: below 0.4; 1.0; 1.2; 1.5; 2.0
        "LI_LEVEL_ABNORMAL",
        """
        value  day    severity  verified  says
        0.39   d-5    medium    no        sub-therapeutic
        0.4    d-5    -         -         -
        0.8    d-5    -         -         -
        0.99   d-5    -         -         -
        1.0    d-5    high      no        above_usual_range
        1.19   d-5    high      no        1.19
        1.2    d-5    critical  no        reduce_or_omit
        1.49   d-5    critical  no        1.49
        1.5    d-5    critical  yes       toxicity_likely
        2.0    d-5    critical  no        medical_emergency
        1.5    d-365  critical  yes       1.5
        1.5    d-366  critical  yes       not_repeated_in_over_a_year
        """,
        supplies=LONG,
        results="""
        test taken_on value
        lithium_level {day} {value}
        """,
    ),
    *family(  # a rise of 0.3 or more at the same dose
        "LI_LEVEL_ABNORMAL",
        """
        before  after  dose  severity  says
        0.5     0.79   800   -         -
        0.5     0.8    800   high      rose_from_0.5_on_d-60_to_0.8_on_d-5,_at_the_same_dose
        0.6     0.9    800   high      at_the_same_dose
        0.5     0.9    1000  -         -
        0.4     0.7    800   high      rose_from_0.4
        0.7     0.4    800   -         -
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg
        lithium d-400 360 800
        lithium d-40 60 {dose}
        """,
        results="""
        test taken_on value
        lithium_level d-60 {before}
        lithium_level d-5 {after}
        """,
    ),
    *family(  # both levels of a rise lie in the last year
        "LI_LEVEL_ABNORMAL",
        """
        before  severity
        d-365   high
        d-366   -
        """,
        supplies=LONG,
        results="""
        test taken_on value
        lithium_level {before} 0.5
        lithium_level d-5 0.9
        """,
    ),
    *family(
        "LI_LEVEL_ABNORMAL",
        """
        why                severity  says
        dose_not_recorded  high      dose_at_the_two_levels_not_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied
        lithium d-400 400
        """,
        results="""
        test taken_on value
        lithium_level d-60 0.5
        lithium_level d-5 0.9
        """,
    ),
    *family(
        "LI_LEVEL_ABNORMAL",
        """
        why                  known  medicine   severity
        level_not_known_yet  d      lithium    -
        level_known          d-1    lithium    critical
        not_on_lithium       d-1    valproate  -
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg
        {medicine} d-400 400 800
        """,
        results="""
        test taken_on value known_on
        lithium_level d-5 1.6 {known}
        """,
    ),
]

FRESH = """
test taken_on value
egfr d-10 {egfr}
sodium d-10 {sodium}
calcium d-10 {calcium}
tsh d-10 {tsh}
"""

ORGANS = [
    *family(  # kidney 60, 45, 30; calcium 2.6, 2.85, 3.0; TSH 4.5, 10 and 0.1; sodium 145
        "LI_RENAL_THYROID_CALCIUM",
        """
        egfr  sodium  calcium  tsh   severity  verified  says
        60    140     2.4      2     -         -         -
        59    140     2.4      2     medium    no        eGFR_59
        45    140     2.4      2     medium    no        eGFR_45
        44    140     2.4      2     high      yes       eGFR_44
        30    140     2.4      2     high      yes       eGFR_30
        29    140     2.4      2     critical  no        eGFR_29
        80    144     2.4      2     -         -         -
        80    145     2.4      2     medium    no        sodium_145
        80    140     2.59     2     -         -         -
        80    140     2.6      2     medium    no        calcium_2.6
        80    140     2.85     2     high      no        calcium_2.85
        80    140     3.0      2     critical  no        calcium_3
        80    140     2.4      4.49  -         -         -
        80    140     2.4      4.5   medium    no        TSH_4.5
        80    140     2.4      10    high      no        TSH_10
        80    140     2.4      0.1   -         -         -
        80    140     2.4      0.09  medium    no        TSH_0.09
        """,
        supplies=LONG,
        results=FRESH,
    ),
    *family(  # eGFR down by 15 or more in 12 months
        "LI_RENAL_THYROID_CALCIUM",
        """
        before  day    severity  says
        94      d-300  -         -
        95      d-300  medium    eGFR_fell_from_95_on_d-300_to_80
        99      d-375  medium    eGFR_fell_from_99
        99      d-376  -         -
        """,
        supplies=LONG,
        results=FRESH.format(egfr=80, sodium=140, calcium=2.4, tsh=2)
        + """
        egfr {day} {before}
        """,
    ),
]


def _one_old(test: str, value: str) -> list[Case]:
    """Every 180 days and 28 of grace: all four organ tests done ten days ago, but one."""
    fresh = {"egfr": "80", "tsh": "2", "calcium": "2.4", "sodium": "140"}
    lines = "\n".join(f"{name} d-10 {number}" for name, number in fresh.items() if name != test)
    return family(
        "LI_RENAL_THYROID_CALCIUM",
        """
        day    severity  due    overdue  verified  says
        d-208  -         -      -        -         -
        d-209  medium    d-29   29       yes       last_recorded_d-209
        """,
        supplies=LONG,
        results=f"test taken_on value\n{lines}\n{test} {{day}} {value}",
    )


CASES = [
    *LEVEL_DUE,
    *LEVEL,
    *ORGANS,
    *_one_old("egfr", "80"),
    *_one_old("tsh", "2"),
    *_one_old("calcium", "2.4"),
    *_one_old("sodium", "140"),
]
