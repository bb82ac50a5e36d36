"""What is taken together, by docs/clinical.md sections 0 and 1.1, rows th101 and th102, and the interaction table."""

from __future__ import annotations

from tests.spec.gaps.golden import family

HIGH_DOSE = [
    *family(  # haloperidol 20 mg and olanzapine 20 mg are each 100%
        "HDAT",
        """
        one    two   required  ecg    severity  verified  says
        19.9   -     false     d-5    -         -         -
        20     -     false     d-5    -         -         -
        20.1   -     false     d-5    medium    no        100.5%_of_maximum
        10     10    false     d-5    -         -         -
        11     10    false     d-5    medium    no        haloperidol_55%
        11     10    true      d-5    medium    no        olanzapine_50%,_as_required
        11     10    false     d-111  medium    no        last_recorded_d-111
        11     10    false     d-112  high      no        last_recorded_d-112
        11     10    false     -      high      no        ECG_not_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg as_required
        haloperidol d-100 120 {one} false
        olanzapine d-100 120 {two} {required}
        """,
        results="""
        test taken_on value
        qtc {ecg} 400
        """,
    ),
    *family(  # an injection: dose over its interval against 300 mg a 28 days; a dose not recorded is named
        "HDAT",
        """
        mg   oral  severity  says
        300  -     -         -
        330  -     high      haloperidol_decanoate_injection_110%
        180  10    high      olanzapine_50%
        """,
        supplies="""
        medicine kind supplied_on interval_days dose_mg days_supplied daily_dose_mg
        haloperidol_decanoate_injection administered d-10 28 {mg} - -
        olanzapine dispensed d-10 - - 28 {oral}
        """,
    ),
]

HIGH_DOSE += family(
    "HDAT",
    """
    why                     severity  says
    one_dose_not_recorded   high      olanzapine_dose_not_recorded
    """,
    supplies="""
    medicine supplied_on days_supplied daily_dose_mg
    haloperidol d-10 28 25
    olanzapine d-10 28 -
    """,
)
HIGH_DOSE += family(
    "HDAT",
    """
    why                      severity
    no_dose_recorded_at_all  -
    """,
    supplies="""
    medicine supplied_on days_supplied daily_dose_mg
    haloperidol d-10 28 -
    olanzapine d-10 28 -
    """,
)

COMBINATION = [
    *family(  # two different antipsychotics, both current for more than 60 days
        "ANTIPSYCHOTIC_POLYPHARMACY",
        """
        one         two                              start  severity  says
        olanzapine  quetiapine                       d-59   -         -
        olanzapine  quetiapine                       d-61   medium    olanzapine_with_quetiapine,_together_since_d-61
        clozapine   amisulpride                      d-61   medium    augments_clozapine
        olanzapine  sertraline                       d-61   -         -
        haloperidol  haloperidol_decanoate_injection  d-61   -         -
        olanzapine  haloperidol_decanoate_injection  d-61   medium    together_since_d-61
        """,
        supplies="""
        medicine supplied_on days_supplied interval_days
        {one} d-200 250 -
        {two} {start} 80 80
        """,
    ),
    *family(  # a current medicine is one whose supply ran out 28 days ago or less; three are high
        "ANTIPSYCHOTIC_POLYPHARMACY",
        """
        days  third         severity
        172   -             medium
        171   -             -
        172   aripiprazole  high
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-200 {days}
        quetiapine d-200 250
        {third} d-200 250
        """,
    ),
]

RESISTANCE = [
    *family(  # two different antipsychotics for 42 days each, a switch between them, F20 or F25
        "TRS_NO_CLOZAPINE",
        """
        code   one         two         first  second  severity  says
        F20.0  olanzapine  quetiapine  42     60      medium    clozapine_not_recorded
        F25.1  olanzapine  quetiapine  42     60      medium    switched_between_them
        191527001  olanzapine  quetiapine  42     60      medium    clozapine_not_recorded
        F31.9  olanzapine  quetiapine  42     60      -         -
        F20.0  olanzapine  quetiapine  41     60      -         -
        F20.0  olanzapine  olanzapine  42     60      -         -
        F20.0  olanzapine  quetiapine  42     41      -         -
        F20.0  olanzapine  quetiapine  42     42      medium    switched
        F20.0  olanzapine  clozapine   42     60      -         -
        """,
        conditions="""
        category code label recorded_on
        diagnosis {code} x d-400
        """,
        supplies="""
        medicine supplied_on days_supplied
        {one} d-300 {first}
        {two} d-230 {second}
        """,
    ),
    *family(  # a switch: the second begins within 60 days of the end of the first (d-258)
        "TRS_NO_CLOZAPINE",
        """
        begin  severity
        d-198  medium
        d-197  -
        """,
        conditions="""
        category code label recorded_on
        diagnosis F20.0 x d-400
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-300 42
        quetiapine {begin} 60
        """,
    ),
    *family(  # held together: an unplanned admission 42 days or more into a trial
        "TRS_NO_CLOZAPINE",
        """
        method     in     severity  says
        emergency  d-58   medium    admitted_on_treatment_on_d-58
        emergency  d-59   -         -
        planned    d-20   -         -
        unknown    d-20   medium    admitted_on_treatment
        """,
        conditions="""
        category code label recorded_on
        diagnosis F20.0 x d-400
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-100 120
        quetiapine d-100 120
        """,
        stays="""
        admitted_on discharged_on method
        {in} d-10 {method}
        """,
    ),
]

INTERACTION = [
    *family(  # current together for 30 days or less, high or contraindicated
        "INTERACTION_NEW",
        """
        one           two            start  severity  verified  says
        lithium       ibuprofen      d-30   high      yes       lithium_with_ibuprofen_since_d-30:_lithium_level_rises
        lithium       ibuprofen      d-31   -         -         -
        lithium       ramipril       d-5    high      yes       avoid_or_level_weekly
        lithium       bendroflumethiazide  d-5  high  yes       avoid
        lithium       furosemide     d-5    high      no        lithium_level_may_rise
        lithium       olanzapine     d-5    low       no        monitor_neurotoxicity
        clozapine     carbamazepine  d-5    critical  no        clozapine_with_carbamazepine
        clozapine     ciprofloxacin  d-5    high      no        avoid_or_reduce_and_level
        valproate     lamotrigine    d-5    high      no        halve_lamotrigine_slow_titration
        citalopram    haloperidol    d-5    critical  no        citalopram_with_haloperidol
        diazepam      morphine       d-5    high      no        respiratory_depression
        olanzapine    sertraline     d-5    -         -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {one} d-300 330
        {two} {start} 56
        """,
    ),
    *family(  # both current; known
        "INTERACTION_NEW",
        """
        why                       days  known  severity
        lithium_current           244   d-5    high
        lithium_over_28_days_ago  243   d-5    -
        ibuprofen_not_known_yet   244   d      -
        """,
        supplies="""
        medicine supplied_on days_supplied known_on
        lithium d-272 {days} d-272
        ibuprofen d-6 28 {known}
        """,
    ),
]

ANTICHOLINERGIC = [
    # scores: olanzapine 3, sertraline 1, haloperidol 2, risperidone 1, amitriptyline 3, amisulpride 0 (unverified)
    *family(
        "ANTICHOLINERGIC_BURDEN",
        """
        one         two            severity  verified  says
        olanzapine  -              -         -         -
        haloperidol  -             -         -         -
        haloperidol  sertraline    -         -         -
        clozapine   oxybutynin     medium    no        oxybutynin_3
        risperidone  sertraline    -         -         -
        olanzapine  haloperidol    low       no        score_5
        olanzapine  amitriptyline  medium    no        score_6
        amisulpride  -             -         -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {one} d-60 80
        {two} d-60 80
        """,
    ),
    *family(  # one licensed antipsychotic is a burden from 65 years, which is never named
        "ANTICHOLINERGIC_BURDEN",
        """
        born        severity  says
        1960-06-25  medium    score_3_(olanzapine_3)
        1960-07-05  -         -
        """,
        patients="""
        birth_date sex
        {born} female
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-60 80
        """,
    ),
    *family(  # procyclidine for more than 90 days
        "ANTICHOLINERGIC_BURDEN",
        """
        start  born        severity  says
        d-90   1980-01-01  low       score_5_(procyclidine_3,_haloperidol_2)
        d-91   1980-01-01  medium    procyclidine_for_91_days
        d-30   1960-06-25  medium    score_5
        d-30   1960-07-05  low       score_5
        """,
        patients="""
        birth_date
        {born}
        """,
        supplies="""
        medicine supplied_on days_supplied
        procyclidine {start} 100
        haloperidol d-20 60
        """,
    ),
]

DEPENDENCE = [
    *family(  # more than 28 days without a break
        "BZD_Z_PREGABALIN_LONG",
        """
        medicine      start  with      severity  says
        diazepam      d-28   -         -         -
        diazepam      d-29   -         medium    diazepam_for_29_days
        zopiclone     d-29   -         medium    zopiclone_for_29_days
        pregabalin    d-29   -         medium    pregabalin_for_29_days
        gabapentin    d-40   -         medium    gabapentin_for_40_days
        diazepam      d-29   morphine  high      with_morphine
        sertraline    d-100  -         -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} {start} 100
        {with} d-10 28
        """,
    ),
    *family(  # an opioid alone is left to the GP's review
        "BZD_Z_PREGABALIN_LONG",
        """
        one       first  two       second  severity
        morphine  d-40   diazepam  d-28    -
        morphine  d-40   diazepam  d-29    high
        """,
        supplies="""
        medicine supplied_on days_supplied
        {one} {first} 100
        {two} {second} 100
        """,
    ),
    *family(  # an attended medicines review counts as well
        "BZD_Z_PREGABALIN_LONG",
        """
        day   outcome         severity
        d-90  attended        -
        d-91  attended        medium
        d-90  did_not_attend  medium
        """,
        supplies="""
        medicine supplied_on days_supplied
        diazepam d-120 130
        """,
        contacts="""
        contact_on kind outcome
        {day} medicines_review {outcome}
        """,
    ),
    *family(  # reviewed in the last 90 days
        "BZD_Z_PREGABALIN_LONG",
        """
        test                          day    severity  says
        structured_medication_review  d-90   -         -
        structured_medication_review  d-91   medium    diazepam_for_120_days
        """,
        supplies="""
        medicine supplied_on days_supplied
        diazepam d-120 130
        """,
        results="""
        test taken_on
        {test} {day}
        """,
    ),
]

CASES = [*HIGH_DOSE, *COMBINATION, *RESISTANCE, *INTERACTION, *ANTICHOLINERGIC, *DEPENDENCE]
