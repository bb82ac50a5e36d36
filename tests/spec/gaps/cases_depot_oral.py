"""Injections and oral supply, by docs/clinical.md sections 2.4 and 3, rows th103 to th105 and the injection fields of
medicines.csv."""

from __future__ import annotations

from tests.spec.gaps.golden import family

DEPOT = [
    *family(  # haloperidol decanoate every 28 days, missed after 42: due day, 1 to 7, 8 to 14, missed
        "LAI_OVERDUE",
        """
        last   severity  due    overdue  verified  says
        d-27   -         -      -        -         -
        d-28   -         -      -        -         -
        d-29   medium    d-1    1        no        1_days_past_due
        d-35   medium    d-7    7        no        7_days_past_due
        d-36   high      d-8    8        no        significantly_late
        d-42   high      d-14   14       no        significantly_late
        d-43   critical  d-15   15       no        the_manufacturer_sets_no_missed-dose_limit
        d-118  critical  d-90   90       no        90_days_past_due
        d-119  -         -      -        -         -
        """,
        supplies="""
        medicine route kind supplied_on interval_days dose_mg
        haloperidol_decanoate_injection long_acting_injection administered {last} 28 100
        """,
    ),
    *family(  # each product's own limit, on both sides (last injection at the limit, and one day past it)
        "LAI_OVERDUE",
        """
        product                                     interval  last   severity  overdue  due
        aripiprazole_2-monthly_injection            56        d-98   high      42       d-42
        aripiprazole_2-monthly_injection            56        d-99   critical  43       d-43
        olanzapine_embonate_injection               14        d-28   high      14       d-14
        olanzapine_embonate_injection               14        d-29   critical  15       d-15
        paliperidone_palmitate_1-monthly_injection  28        d-42   high      14       d-14
        paliperidone_palmitate_1-monthly_injection  28        d-43   critical  15       d-15
        paliperidone_palmitate_3-monthly_injection  84        d-122  high      38       d-38
        paliperidone_palmitate_3-monthly_injection  84        d-123  critical  39       d-39
        paliperidone_palmitate_6-monthly_injection  182       d-203  high      21       d-21
        paliperidone_palmitate_6-monthly_injection  182       d-204  critical  22       d-22
        risperidone_microspheres_injection          14        d-28   high      14       d-14
        risperidone_microspheres_injection          14        d-29   critical  15       d-15
        risperidone_ISM_injection                   28        d-35   medium    7        d-7
        risperidone_ISM_injection                   28        d-36   critical  8        d-8
        flupentixol_decanoate_injection             14        d-42   high      28       d-28
        flupentixol_decanoate_injection             14        d-43   critical  29       d-29
        zuclopenthixol_decanoate_injection          14        d-42   high      28       d-28
        zuclopenthixol_decanoate_injection          14        d-43   critical  29       d-29
        """,
        supplies="""
        medicine kind supplied_on interval_days
        {product} administered {last} {interval}
        """,
    ),
    *family(  # bands: significantly late from 8 to 14 days
        "LAI_OVERDUE",
        """
        last  severity  overdue  due   says
        d-64  high      8        d-8   significantly_late
        d-70  high      14       d-14  significantly_late
        d-71  high      15       d-15  more_than_14_days_late
        """,
        supplies="""
        medicine kind supplied_on interval_days
        aripiprazole_2-monthly_injection administered {last} 56
        """,
    ),
    *family(  # aripiprazole monthly: 5 weeks before the 2nd or 3rd dose, 6 weeks from the 4th
        "LAI_OVERDUE",
        """
        one    two    three  last  severity  overdue  due   says
        -      -      -      d-35  medium    7        d-7   0_days_left
        -      -      -      d-36  critical  8        d-8   limit_of_35_days
        -      -      d-64   d-36  critical  8        d-8   limit_of_35_days
        -      d-92   d-64   d-36  high      8        d-8   6_days_left
        -      d-98   d-70   d-42  high      14       d-14  0_days_left
        d-127  d-99   d-71   d-43  critical  15       d-15  limit_of_42_days
        """,
        supplies="""
        medicine kind supplied_on interval_days
        aripiprazole_1-monthly_injection administered {one} 28
        aripiprazole_1-monthly_injection administered {two} 28
        aripiprazole_1-monthly_injection administered {three} 28
        aripiprazole_1-monthly_injection administered {last} 28
        """,
    ),
    *family(  # the last two given more than 7 days late; a late-known injection; the usual interval of the product
        "LAI_OVERDUE",
        """
        why                        one     two    last  known  severity  overdue  due   says
        both_8_days_late           d-102   d-66   d-30  d-30   high      2        d-2   last_two_were_given
        one_7_days_late            d-101   d-66   d-30  d-30   medium    2        d-2   12_days_left
        known_the_day_before       d-60    d-32   d-2   d-1    -         -        -     -
        not_known_yet              d-60    d-32   d-2   d      medium    4        d-4   10_days_left
        """,
        supplies="""
        medicine kind supplied_on known_on
        paliperidone_palmitate_1-monthly_injection administered {one} {one}
        paliperidone_palmitate_1-monthly_injection administered {two} {two}
        paliperidone_palmitate_1-monthly_injection administered {last} {known}
        """,
    ),
    *family(
        "LAI_OVERDUE",
        """
        why             severity
        tablets_only    -
        """,
        supplies="""
        medicine supplied_on days_supplied
        haloperidol d-60 28
        """,
    ),
]

GAP = [
    *family(  # 14 days or more since supply ran out, 28 days supplied; high above 30; the course ends after 90
        "SUPPLY_GAP_ORAL",
        """
        last   severity  due    overdue  verified  says
        d-41   -         -      -        -         -
        d-42   medium    d-14   14       no        supply_of_antipsychotic_recorded_ran_out_on_d-14,_14_days_ago
        d-58   medium    d-30   30       no        30_days_ago
        d-59   high      d-31   31       no        31_days_ago
        d-118  high      d-90   90       no        90_days_ago
        d-119  -         -      -        -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine {last} 28
        """,
    ),
    *family(  # by class: another of the class, an injection, as-required; lithium is a class of its own
        "SUPPLY_GAP_ORAL",
        """
        first       second                           severity  due    overdue  says
        lithium     -                                high      d-20   20       supply_of_lithium_ran_out
        valproate   -                                high      d-20   20       supply_of_valproate_ran_out
        lithium     valproate                        high      d-20   20       supply_of_lithium_ran_out
        valproate   lamotrigine                      -         -      -        -
        olanzapine  quetiapine                       -         -      -        -
        olanzapine  haloperidol_decanoate_injection  -         -      -        -
        olanzapine  sertraline                       medium    d-20   20       antipsychotic
        sertraline  -                                -         -      -        -
        clozapine   -                                -         -      -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {first} d-48 28
        {second} d-10 28
        """,
    ),
    *family(  # days in hospital are left out
        "SUPPLY_GAP_ORAL",
        """
        why                    in    out  severity  due    overdue
        in_hospital_now        d-15  d+1  -         -      -
        home_for_13_of_20      d-12  d-5  -         -      -
        home_for_14_of_20      d-12  d-6  medium    d-20   14
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-48 28
        """,
        stays="""
        admitted_on discharged_on
        {in} {out}
        """,
    ),
    *family(
        "SUPPLY_GAP_ORAL",
        """
        why                  required  known  severity  due   overdue
        as_required          true      d-47   -         -     -
        regular              false     d-47   medium    d-20  20
        first_not_known_yet  false     d      -         -     -
        """,
        supplies="""
        medicine supplied_on days_supplied as_required known_on
        olanzapine d-48 28 {required} {known}
        """,
    ),
]

FALLING = [
    *family(  # 180 days before were covered in full; then this long a supply from d-90 and one in hand from d-6
        "ADHERENCE_FALLING",
        """
        days  severity  verified  says
        66    -         -         -
        65    medium    no        79%_of_the_last_90_days_covered,_100%_of_the_90_before
        39    medium    no        50%_of_the_last_90_days
        38    high      no        49%_of_the_last_90_days
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-270 180
        olanzapine d-90 {days}
        olanzapine d-6 28
        """,
    ),
    *family(  # 10 points less than before: 63 days (70%) now against 31 + 40 (79%) or 32 + 40 (80%) of 90
        "ADHERENCE_FALLING",
        """
        before  severity
        31      -
        32      medium
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate d-270 90
        valproate d-180 {before}
        valproate d-135 40
        valproate d-90 57
        valproate d-6 28
        """,
    ),
    *family(  # two gaps of more than 14 days in 180
        "ADHERENCE_FALLING",
        """
        one  two  severity  says
        75   69   medium    2_gaps_of_more_than_14_days
        76   69   -         -
        75   70   -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate d-360 180
        valproate d-180 {one}
        valproate d-90 {two}
        valproate d-6 28
        """,
    ),
    *family(  # a lithium level down by more than 0.2 at the same dose
        "ADHERENCE_FALLING",
        """
        before  after  dose  severity  says
        0.8     0.6    800   -         -
        0.8     0.59   800   medium    lithium_level_fell_from_0.8_on_d-60_to_0.59_on_d-5
        0.8     0.59   600   -         -
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
    *family(  # what ran out now is one problem: the supply gap's line says it, not this
        "ADHERENCE_FALLING",
        """
        days  severity
        170   -
        180   -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-270 {days}
        """,
    ),
    *family(
        "SUPPLY_GAP_ORAL",
        """
        days  severity  due    overdue  says
        135   high      d-45   45       45_days_ago;_50%_of_the_last_90_days_covered,_100%_of_the_90_before
        90    high      d-90   90       0%_of_the_last_90_days_covered
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-270 90
        olanzapine d-180 {days}
        """,
    ),
    *family(  # on it for less than 180 days
        "ADHERENCE_FALLING",
        """
        first  severity
        d-179  -
        d-180  medium
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine {first} 90
        olanzapine d-90 54
        olanzapine d-6 28
        """,
    ),
]

STOPS = [
    *family(  # not to stop suddenly: each from its own day; another of the family in hand is a switch
        "SUPPLY_GAP_ORAL",
        """
        medicine    last  other      severity  due    overdue  says
        lithium     d-30  -          -         -      -        -
        lithium     d-31  -          high      d-3    3        relapse_with_mania
        lithium     d-31  valproate  high      d-3    3        supply_of_lithium_ran_out
        lamotrigine  d-32  -         -         -      -        -
        lamotrigine  d-33  -         high      d-5    5        rash_if_restarted_at_the_full_dose
        lamotrigine  d-33  valproate  high     d-5    5        supply_of_lamotrigine_ran_out
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-130 60
        {medicine} {last} 28
        {other} d-20 28
        """,
    ),
    *family(  # medicines whose sudden stop brings withdrawal
        "WITHDRAWAL_RISK",
        """
        medicine    first  last  other      severity  due    overdue  says
        paroxetine  d-130  d-33    -          high      d-5    5        withdrawal
        paroxetine  d-130  d-33    sertraline  -        -      -        -
        sertraline  d-130  d-34    -          -         -      -        -
        sertraline  d-130  d-35    -          medium    d-7    7        withdrawal
        fluoxetine  d-130  d-41    -          -         -      -        -
        fluoxetine  d-130  d-42    -          medium    d-14   14       relapse
        diazepam    d-130  d-31    -          high      d-3    3        withdrawal_and_seizures
        pregabalin  d-130  d-31    -          high      d-3    3        withdrawal_and_seizures
        venlafaxine d-190  d-128   -        high      d-100  100      withdrawal
        venlafaxine d-456  d-394   -        -         -      -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} {first} 60
        {medicine} {last} 28
        {other} d-20 28
        """,
    ),
    *family(  # supplied weekly: asked about after one collection missed
        "SUPPLY_GAP_ORAL",
        """
        length  last   severity  due   overdue  says
        7       d-13   -         -     -        -
        7       d-14   medium    d-7   7        supplied_weekly_before
        14      d-21   -         -     -        -
        14      d-28   medium    d-14  14       14_days_ago
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-60 {length}
        olanzapine {last} {length}
        """,
    ),
]

CASES = [*DEPOT, *GAP, *FALLING, *STOPS]
