"""Dangerous results (rows th047 to th049 and th086 to th095, th106, th109), doses above a maximum, allergies,
pregnancy, smoking with other medicines, and what a plan for medicines turns on."""

from __future__ import annotations

from tests.spec.gaps.golden import family

RESULTS = [
    *family(  # each limit, on both sides, for the medicine that it is about
        "RESULT_DANGEROUS",
        """
        medicine       test                 value  severity  says
        sertraline     sodium               135    -         -
        sertraline     sodium               134    low       sodium_134
        sertraline     sodium               129    high      sodium_129_mmol/L_on_d-9_with_sertraline
        sertraline     sodium               124    critical  sodium_124
        carbamazepine  sodium               129    high      with_carbamazepine
        olanzapine     sodium               130    -         -
        olanzapine     sodium               124    critical  sodium_124
        valproate      alt                  119    -         -
        valproate      alt                  120    high      alanine_transaminase_120
        agomelatine    alt                  300    high      alanine_transaminase_300
        sertraline     alt                  300    -         -
        valproate      platelets            100    -         -
        valproate      platelets            60     high      platelet_count_60
        carbamazepine  wbc                  3.0    -         -
        carbamazepine  wbc                  2.9    high      white_cell_count_2.9
        carbamazepine  anc                  1.5    -         -
        olanzapine     anc                  1.4    high      neutrophil_count_1.4
        mirtazapine    anc                  0.4    critical  agranulocytosis
        clozapine      anc                  0.4    -         -
        carbamazepine  carbamazepine_level  12     high      carbamazepine_level_12
        carbamazepine  carbamazepine_level  15     high      carbamazepine_level_15
        carbamazepine  carbamazepine_level  20     critical  carbamazepine_level_20
        carbamazepine  carbamazepine_level  3.9    low       carbamazepine_level_3.9
        carbamazepine  carbamazepine_level  8      -         -
        valproate      valproate_level      100    high      valproate_level_100
        valproate      ammonia              80     high      ammonia_80
        olanzapine     ck                   999    -         -
        olanzapine     ck                   1000   high      creatine_kinase_1000
        olanzapine     ck                   6000   critical  creatine_kinase_6000
        sertraline     ck                   6000   -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-100 130
        """,
        results="""
        test taken_on value
        {test} d-9 {value}
        """,
    ),
    *family(  # the newest counts once it is known; age alone does not make a result safe
        "RESULT_DANGEROUS",
        """
        low    known  after  severity  says
        d-9    d-8    -      critical  sodium_124
        d-9    d      -      -         -
        d-900  d-900  -      critical  not_repeated_since
        d-9    d-9    d-2    -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        sertraline d-100 130
        """,
        results="""
        test taken_on value known_on
        sodium {low} 124 {known}
        sodium {after} 140 d-1
        """,
    ),
]

DOSES = [
    *family(  # the maximum, and the lower one from 65 years, which is never named
        "DOSE_ABOVE_MAXIMUM",
        """
        born        medicine      mg   severity  says
        1980-01-01  citalopram    40   -         -
        1980-01-01  citalopram    41   high      citalopram_41_mg_a_day;_maximum_40_mg_a_day
        1950-01-01  citalopram    20   -         -
        1950-01-01  citalopram    40   high      maximum_for_this_person_20_mg_a_day
        1950-01-01  escitalopram  20   high      maximum_for_this_person_10_mg_a_day
        1980-01-01  escitalopram  20   -         -
        1980-01-01  sertraline    250  high      maximum_200
        1980-01-01  olanzapine    40   -         -
        """,
        patients="""
        birth_date sex
        {born} female
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg
        {medicine} d-20 56 {mg}
        """,
    ),
    *family(  # a lower maximum that cannot be checked is said
        "DOSE_ABOVE_MAXIMUM",
        """
        mg  severity  says
        20  -         -
        40  low       date_of_birth_not_recorded
        """,
        patients="""
        sex
        female
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg
        citalopram d-20 56 {mg}
        """,
    ),
    *family(  # by kidney function
        "DOSE_ABOVE_MAXIMUM",
        """
        medicine     mg   egfr  severity  says
        amisulpride  800  60    -         -
        amisulpride  800  59    high      maximum_for_this_person_600_mg_a_day_(eGFR_59_on_d-9)
        amisulpride  800  29    high      400
        duloxetine   60   30    -         -
        duloxetine   60   29    high      to_be_avoided
        pregabalin   600  50    high      300
        """,
        patients="""
        birth_date
        1980-01-01
        """,
        supplies="""
        medicine supplied_on days_supplied daily_dose_mg
        {medicine} d-20 56 {mg}
        """,
        results="""
        test taken_on value
        egfr d-9 {egfr}
        """,
    ),
]

ALLERGY = [
    *family(  # by the words of the label, or the SNOMED CT concept
        "ALLERGY_CONFLICT",
        """
        code       label                   medicine                        severity  says
        x          clozapine               clozapine                       critical  allergy_to_clozapine_recorded_on_d-200
        x          Allergy_to_haloperidol  haloperidol                     critical  haloperidol
        x          phenothiazine           chlorpromazine                  critical  chlorpromazine
        294499007  x                       aspirin                         critical  aspirin
        x          No_allergy_to_clozapine clozapine                       -         -
        x          none_known              clozapine                       -         -
        x          penicillin              clozapine                       -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-20 56
        """,
        conditions="""
        category code label recorded_on
        allergy {code} {label} d-200
        """,
    ),
]

PREGNANCY = [
    *family(  # a pregnancy of the last 42 weeks with a medicine that may harm it
        "PREGNANCY_RISK",
        """
        medicine       code   day    severity  says
        lithium        Z33    d-20   critical  pregnancy_recorded_on_d-20;_lithium
        carbamazepine  Z34.0  d-20   critical  carbamazepine
        topiramate     Z33    d-294  critical  topiramate
        lithium        Z33    d-295  -         -
        lithium        F20.0  d-20   -         -
        quetiapine     Z33    d-20   -         -
        """,
        patients="""
        birth_date sex
        1990-01-01 female
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-100 130
        """,
        conditions="""
        category system code label recorded_on
        diagnosis icd10 {code} x {day}
        """,
    ),
    *family(  # topiramate's programme
        "PREGNANCY_RISK",
        """
        sex     potential  form   severity  due     overdue  says
        female  yes        -      high      d-100   100      annual_risk_form_not_recorded
        female  yes        d-365  -         -       -        -
        female  yes        d-366  high      d-1     1        last_recorded_d-366
        female  -          -      medium    -       -        is_not_recorded
        female  no         -      -         -       -        -
        male    -          -      -         -       -        -
        """,
        patients="""
        birth_date sex
        1990-01-01 {sex}
        """,
        supplies="""
        medicine supplied_on days_supplied
        topiramate d-100 130
        """,
        circumstances="""
        kind value from_on
        childbearing_potential {potential} d-60
        """,
        results="""
        test taken_on
        annual_risk_acknowledgement {form}
        """,
    ),
]

SMOKING = [
    *family(  # what is said follows the direction; clozapine has a rule of its own
        "SMOKING_CHANGE",
        """
        medicine    before     after      day   severity  says
        olanzapine  smoker     ex_smoker  d-10  medium    smoking_stopped_on_d-10:_the_level_of_olanzapine_may_rise
        olanzapine  smoker     reduced    d-10  medium    smoking_reduced_on_d-10
        olanzapine  ex_smoker  smoker     d-10  medium    started_again_on_d-10:_the_level_of_olanzapine_may_fall
        olanzapine  smoker     ex_smoker  d-91  -         -
        haloperidol smoker     ex_smoker  d-10  low       haloperidol
        haloperidol ex_smoker  smoker     d-10  -         -
        sertraline  smoker     ex_smoker  d-10  -         -
        clozapine   smoker     ex_smoker  d-10  -         -
        olanzapine  smoker     smoker     d-10  -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-100 130
        """,
        circumstances="""
        kind value from_on
        smoking {before} d-400
        smoking {after} {day}
        """,
    ),
]

SUPPORT = [
    *family(  # where medicines are kept
        "LIVING_SITUATION",
        """
        value           medicine    severity  says
        settled         olanzapine  -         -
        rough_sleeping  olanzapine  medium    safe_storage_of_medicines_may_be_lacking_since_d-40
        temporary       olanzapine  low       olanzapine
        temporary       clozapine   medium    clozapine
        rough_sleeping  ibuprofen   -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-20 56
        """,
        circumstances="""
        kind value from_on
        housing {value} d-40
        """,
    ),
    *family(  # a carer who was not heard in a year
        "LIVING_SITUATION",
        """
        value  day    spoke  severity  says
        yes    d-366  -      low       carer_recorded_on_d-366
        yes    d-365  -      -         -
        yes    d-800  d-300  -         -
        no     d-800  -      -         -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-20 56
        """,
        circumstances="""
        kind value from_on
        carer {value} {day}
        """,
        contacts="""
        contact_on kind outcome
        {spoke} carer attended
        """,
    ),
    *family(  # the form is needed within a month of the order
        "CTO_TREATMENT_FORM",
        """
        order  form   start  severity  due   overdue  says
        d-28   -      d-400  medium    d     0        no_form_CTO11_or_CTO12_recorded;_taking_olanzapine
        d-29   -      d-400  medium    d-1   1        no_form_CTO11_or_CTO12_recorded
        d-60   d-40   d-400  -         -     -        -
        d-60   d-90   d-400  medium    d-32  32       no_form
        d-60   d-40   d-400  -         -     -        -
        -      -      d-400  -         -     -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine {start} 380
        olanzapine d-20 60
        """,
        circumstances="""
        kind value from_on
        community_treatment_order yes {order}
        cto12 yes {form}
        """,
    ),
]

OVERDUE = [
    *family(  # done once, overdue now: by name and date, for the medicine that asks for it
        "MONITORING_OVERDUE",
        """
        medicine       test       day    one      two    severity  due    overdue  says
        valproate      alt        d-392  fbc      -      -         -      -        -
        valproate      alt        d-400  fbc      -      medium    d-35   35       liver_function:_last_recorded_d-400_(valproate)
        valproate      alt        d-800  fbc      -      high      d-435  435      liver_function:_last_recorded_d-800
        carbamazepine  platelets  d-700  u_and_e  lft    low       d-520  520      full_blood_count:_last_recorded_d-700_(carbamazepine)
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-1100 390
        {medicine} d-710 400
        {medicine} d-310 340
        """,
        results="""
        test taken_on
        {test} {day}
        weight d-30
        {one} d-30
        {two} d-30
        """,
    ),
    *family(  # what a medicine recommends is shown with the annual check where that is overdue too
        "MONITORING_NEVER_DONE",
        """
        medicine       test       day    one        severity  due    overdue  says
        risperidone    prolactin  d-500  -          low       d-919  919      prolactin:_last_recorded_d-500
        haloperidol    qtc        d-500  prolactin  medium    d-919  919      ECG:_last_recorded_d-500
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-1100 390
        {medicine} d-710 400
        {medicine} d-310 340
        """,
        results="""
        test taken_on
        {test} {day}
        weight d-30
        {one} d-30
        """,
    ),
    *family(  # until it has missed a whole interval more since it was done
        "MONITORING_OVERDUE",
        """
        medicine       test       day    one        severity  due    overdue  says
        risperidone    prolactin  d-500  -          -         -      -        -
        risperidone    prolactin  d-900  -          low       d-535  535      prolactin:_last_recorded_d-900_(risperidone)
        haloperidol    qtc        d-900  prolactin  medium    d-535  535      ECG:_last_recorded_d-900_(haloperidol)
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} d-1100 390
        {medicine} d-710 400
        {medicine} d-310 340
        """,
        results="""
        test taken_on
        {test} {day}
        weight d-30
        {one} d-30
        """,
    ),
]

CASES = [*RESULTS, *DOSES, *ALLERGY, *PREGNANCY, *SMOKING, *SUPPORT, *OVERDUE]
