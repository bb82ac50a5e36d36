"""Weight, glucose, lipids, blood pressure, pulse and QTc, by rows th023, th024 and th051 to th081."""

from __future__ import annotations

from tests.spec.gaps.golden import family

ON_OLANZAPINE = """
medicine supplied_on days_supplied
olanzapine d-300 330
"""

METABOLIC = [
    *family(  # Lester bands of glucose; a value stands until a newer one
        "METABOLIC_WORSENING",
        """
        test             value  day    severity  verified  says
        hba1c            41     d-9    -         -         -
        hba1c            42     d-9    medium    yes       HbA1c_42_mmol/mol_on_d-9
        hba1c            47     d-9    medium    yes       47
        hba1c            48     d-9    high      yes       48
        hba1c            48     d-365  high      yes       48
        hba1c            48     d-366  high      yes       not_repeated_in_over_a_year
        fasting_glucose  5.4    d-9    -         -         -
        fasting_glucose  5.5    d-9    medium    yes       5.5
        fasting_glucose  7.0    d-9    high      yes       fasting_glucose_7
        random_glucose   11.0   d-9    -         -         -
        random_glucose   11.1   d-9    high      yes       11.1
        triglycerides    9.9    d-9    -         -         -
        triglycerides    10     d-9    medium    no        triglycerides_10
        triglycerides    20     d-9    high      no        triglycerides_20
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        {test} {day} {value}
        """,
    ),
    *family(  # cholesterol and QRISK3 with no statin
        "METABOLIC_WORSENING",
        """
        test               value  statin        severity  verified  says
        total_cholesterol  5.9    -             -         -         -
        total_cholesterol  6.0    -             medium    yes       no_statin_recorded
        total_cholesterol  6.0    atorvastatin  -         -         -
        qrisk3_10y         9.9    -             -         -         -
        qrisk3_10y         10     -             medium    no        QRISK3
        """,
        supplies=ON_OLANZAPINE
        + """
        {statin} d-100 130
        """,
        results="""
        test taken_on value
        {test} d-9 {value}
        """,
    ),
    *family(  # more than 5 kg within 91 days
        "METABOLIC_WORSENING",
        """
        day     kg    severity  verified  says
        d-100   95    -         -         -
        d-100   95.1  high      yes       weight_up_5.1_kg_in_91_days
        d-101   95.1  -         -         -
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        weight {day} 90
        weight d-9 {kg}
        """,
    ),
    *family(  # 7% from the baseline: the last weight from 90 days before to 14 days after the start (d-300)
        "METABOLIC_WORSENING",
        """
        day    kg     severity  verified  says
        d-310  106.9  -         -         -
        d-310  107    high      no        weight_up_7.0%_from_100_kg
        d-286  107    high      no        7.0%
        d-285  107    -         -         -
        d-390  107    high      no        7.0%
        d-391  107    -         -         -
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        weight {day} 100
        weight d-9 {kg}
        """,
    ),
    *family(  # BMI that came into a higher band
        "METABOLIC_WORSENING",
        """
        before  now   severity  says
        24      24.9  -         -
        24      25    low       body_mass_index_25_kg/m2_on_d-9,_up_from_24
        26      29.9  -         -
        26      30    medium    body_mass_index_30
        31      33    -         -
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        bmi d-200 {before}
        bmi d-9 {now}
        """,
    ),
    *family(  # from a value within a year before it
        "METABOLIC_WORSENING",
        """
        day    severity
        d-374  low
        d-375  -
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        bmi {day} 24
        bmi d-9 26
        """,
    ),
    *family(  # needs a current antipsychotic; a result known late does not count
        "METABOLIC_WORSENING",
        """
        medicine    known  severity
        sertraline  d-5    -
        olanzapine  d-1    high
        olanzapine  d      -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-300 330
        """,
        results="""
        test taken_on value known_on
        hba1c d-9 60 {known}
        """,
    ),
]

HEART = [
    *family(  # QTc 440 or 470, 500; where the record does not say which limit applies, the lower one
        "BP_PULSE_QTC",
        """
        sex     qtc  severity  verified  says
        male    439  -         -         -
        male    440  medium    no        QTc_interval_440_ms_on_d-9
        male    499  medium    no        499
        male    500  critical  no        500
        female  469  -         -         -
        female  470  medium    no        470
        female  499  medium    no        499
        female  500  critical  no        500
        other   440  medium    no        which_limit_applies_is_not_recorded
        other   439  -         -         -
        """,
        patients="""
        sex
        {sex}
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        qtc d-9 {qtc}
        """,
    ),
    *family(  # up by 60 ms or more from the earliest
        "BP_PULSE_QTC",
        """
        now  severity  says
        429  -         -
        430  high      up_60_ms
        """,
        patients="""
        sex
        female
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        qtc d-200 370
        qtc d-9 {now}
        """,
    ),
    *family(  # blood pressure and pulse
        "BP_PULSE_QTC",
        """
        test          value  severity  verified  says
        systolic_bp   139    -         -         -
        systolic_bp   140    low       yes       systolic_blood_pressure_140
        systolic_bp   159    low       yes       159
        systolic_bp   179    medium    yes       179
        systolic_bp   180    critical  no        180
        systolic_bp   90     -         -         -
        systolic_bp   89     high      no        89
        diastolic_bp  89     -         -         -
        diastolic_bp  90     low       yes       90
        diastolic_bp  120    critical  no        120
        pulse         99     -         -         -
        pulse         100    medium    no        pulse_100
        pulse         130    medium    no        pulse_130
        pulse         45     -         -         -
        """,
        supplies=ON_OLANZAPINE,
        results="""
        test taken_on value
        {test} d-9 {value}
        """,
    ),
    *family(  # what depends on the medicine
        "BP_PULSE_QTC",
        """
        medicine    start  test                    value  severity  says
        lithium     d-300  pulse                   50     -         -
        lithium     d-300  pulse                   49     medium    pulse_49_bpm_on_d-9_with_lithium
        clozapine   d-60   pulse                   120    medium    120
        clozapine   d-60   pulse                   121    high      clozapine_started_lately
        clozapine   d-135  pulse                   121    high      clozapine_started_lately
        clozapine   d-136  pulse                   121    medium    pulse_121
        clozapine   d-60   temperature             38     -         -
        clozapine   d-60   temperature             38.1   high      on_clozapine
        olanzapine  d-60   temperature             38.1   -         -
        quetiapine  d-60   postural_drop_systolic  19     -         -
        quetiapine  d-60   postural_drop_systolic  20     medium    20
        amitriptyline  d-60  postural_drop_systolic  20   medium    20
        olanzapine  d-60   postural_drop_systolic  20     -         -
        citalopram  d-60   potassium               3.5    -         -
        citalopram  d-60   potassium               3.49   medium    potassium_3.49_mmol/L_on_d-9_with_citalopram
        olanzapine  d-60   potassium               3.4    -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} {start} 330
        """,
        results="""
        test taken_on value
        {test} d-9 {value}
        """,
    ),
    *family(  # two QT-prolonging medicines and no ECG in a year, or none since they came together over 30 days ago
        "BP_PULSE_QTC",
        """
        two         start  ecg    severity  says
        citalopram  d-390  -      high      2_QT-prolonging_medicines_(haloperidol,_citalopram);_ECG_not_recorded
        citalopram  d-390  d-365  -         -
        citalopram  d-390  d-366  high      last_recorded_d-366
        citalopram  d-31   d-32   high      last_recorded_d-32
        citalopram  d-30   d-32   -         -
        citalopram  d-31   d-31   -         -
        sertraline  d-390  -      -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        haloperidol d-390 400
        {two} {start} 400
        """,
        results="""
        test taken_on
        ecg_qtc {ecg}
        """,
    ),
]

CASES = [*METABOLIC, *HEART]
