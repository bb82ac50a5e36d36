"""Valproate's documents (rows mp161 to mp163), medicines review and allergy status (docs/clinical.md section 1.1)."""

from __future__ import annotations

from tests.spec.gaps.golden import family

OLD_VALPROATE = """
medicine supplied_on days_supplied
valproate 2023-06-01 400
valproate 2024-06-20 400
"""

DOCUMENTS = [
    *family(  # childbearing potential recorded: form every 365 days, no grace; contraception 365 and 28
        "VALPROATE_PPP",
        """
        form   contraception  severity  due    overdue  verified  says
        d-365  d-9            -         -      -        -         -
        d-366  d-9            high      d-1    1        no        annual_risk_form_last_recorded_d-366
        d-9    d-393          -         -      -        -         -
        d-9    d-394          medium    d-29   29       no        contraception_status_last_recorded_d-394
        d-380  d-394          high      d-29   29       no        annual_risk_form
        -      d-9            high      d-761  761      no        annual_risk_form_not_recorded
        d-9    -              medium    d-761  761      no        contraception_status_not_recorded
        """,
        patients="""
        birth_date sex
        1990-01-01 female
        """,
        supplies=OLD_VALPROATE,
        circumstances="""
        kind value from_on
        childbearing_potential yes 2023-06-01
        """,
        results="""
        test taken_on
        annual_risk_acknowledgement {form}
        contraception_status {contraception}
        two_specialist_agreement 2023-06-01
        """,
    ),
    *family(  # not recorded is not "no"
        "VALPROATE_PPP",
        """
        sex     born        potential  known  severity  says
        female  1990-01-01  -          d-9    high      childbearing_potential_not_recorded:_cannot_assess
        female  1990-01-01  no         d-9    -         -
        female  1990-01-01  no         d      high      cannot_assess
        female  1970-07-05  -          d-9    high      cannot_assess
        female  1970-06-25  -          d-9    -         -
        male    1970-06-25  -          d-9    -         -
        male    1990-01-01  -          d-9    medium    advice_on_contraception_during_treatment
        """,
        patients="""
        birth_date sex
        {born} {sex}
        """,
        supplies=OLD_VALPROATE,
        circumstances="""
        kind value from_on known_on
        childbearing_potential {potential} d-60 {known}
        """,
    ),
    *family(  # a new start since January 2024 under 55, for any person: agreement of two specialists
        "VALPROATE_PPP",
        """
        start       born        agreed      severity  due         overdue  says
        2025-06-01  1990-01-01  -           high      2025-06-01  30       agreement_of_two_specialists_for_the_new_start_not_recorded
        2025-06-01  1990-01-01  2025-05-20  -         -           -        -
        2025-06-01  1990-01-01  2024-06-01  -         -           -        -
        2025-06-01  1990-01-01  2024-05-31  high      2025-06-01  30       not_recorded
        2025-06-01  1990-01-01  2025-06-20  -         -           -        -
        2025-06-01  1970-06-10  -           high      2025-06-01  30       agreement
        2025-06-01  1970-05-25  -           -         -           -        -
        """,
        patients="""
        birth_date sex
        {born} male
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate {start} 400
        valproate d-20 56
        """,
        results="""
        test taken_on
        contraception_status d-20
        two_specialist_agreement {agreed}
        """,
    ),
    *family(  # the rule took effect in January 2024
        "VALPROATE_PPP",
        """
        start       severity  due         overdue
        2024-01-01  high      2024-01-01  547
        2023-12-31  -         -           -
        """,
        patients="""
        birth_date sex
        1990-01-01 male
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate {start} 400
        valproate 2025-02-01 400
        """,
        results="""
        test taken_on
        contraception_status d-20
        """,
    ),
    *family(
        "VALPROATE_PPP",
        """
        why                         severity  due   overdue  says
        date_of_birth_not_recorded  high      d-20  20       cannot_assess_whether_it_is_needed,_date_of_birth_not_recorded
        """,
        patients="""
        sex
        male
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate d-20 56
        """,
    ),
    *family(
        "VALPROATE_PPP",
        """
        medicine     days  severity
        lamotrigine  56    -
        valproate    11    -
        """,
        patients="""
        birth_date sex
        1990-01-01 female
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} 2023-06-01 {days}
        """,
    ),
]

TAKEN_BEFORE = [
    *family(  # taken before 2024: a second signature at the next annual review, if there is none
        "VALPROATE_PPP",
        """
        born        agreed  severity  says
        1990-01-01  -       medium    second_specialist_not_recorded
        1990-01-01  d-700   -         -
        """,
        patients="""
        birth_date sex
        {born} female
        """,
        supplies=OLD_VALPROATE,
        circumstances="""
        kind value from_on
        childbearing_potential yes 2023-06-01
        """,
        results="""
        test taken_on
        annual_risk_acknowledgement d-9
        contraception_status d-9
        two_specialist_agreement {agreed}
        """,
    ),
    *family(  # a course that starts again is no new start
        "VALPROATE_PPP",
        """
        first       severity  due         overdue
        2023-01-01  -         -           -
        2024-02-01  high      2024-02-01  516
        """,
        patients="""
        birth_date sex
        1990-01-01 male
        """,
        supplies="""
        medicine supplied_on days_supplied
        valproate {first} 56
        valproate d-20 56
        """,
        results="""
        test taken_on
        contraception_status d-20
        """,
    ),
    *family(  # a pregnancy of the last 42 weeks, in ICD-10
        "VALPROATE_PPP",
        """
        code   day    severity  says
        Z33    d-20   critical  pregnancy_recorded_on_d-20
        Z34.9  d-294  critical  pregnancy_recorded
        """,
        patients="""
        birth_date sex
        1990-01-01 female
        """,
        supplies=OLD_VALPROATE,
        conditions="""
        category system code label recorded_on
        diagnosis icd10 {code} x {day}
        """,
    ),
]

REVIEW = [
    *family(  # more than 365 days since the last
        "MEDICINES_REVIEW_OVERDUE",
        """
        kind              outcome         day    known  severity  due    overdue  says
        medicines_review  attended        d-365  d-365  -         -      -        -
        medicines_review  attended        d-366  d-366  low       d-1    1        last_medicines_review_on_d-366
        medicines_review  attended        d-9    d-1    -         -      -        -
        medicines_review  attended        d-9    d      low       d-235  235      no_medicines_review_recorded
        medicines_review  did_not_attend  d-9    d-9    low       d-235  235      no_medicines_review_recorded
        routine           attended        d-9    d-9    low       d-235  235      no_medicines_review_recorded
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-600 400
        olanzapine d-200 230
        """,
        contacts="""
        contact_on kind outcome outcome_known_on
        {day} {kind} {outcome} {known}
        """,
    ),
    *family(  # a structured review counts; never reviewed is due a year after the first psychotropic
        "MEDICINES_REVIEW_OVERDUE",
        """
        first  review  medicine    severity  due  overdue  says
        d-365  -       olanzapine  -         -    -        -
        d-366  -       olanzapine  low       d-1  1        no_medicines_review_recorded
        d-500  d-365   olanzapine  -         -    -        -
        d-500  d-366   olanzapine  low       d-1  1        last_medicines_review_on_d-366
        d-500  -       ibuprofen   -         -    -        -
        """,
        supplies="""
        medicine supplied_on days_supplied
        {medicine} {first} 400
        {medicine} d-120 150
        """,
        results="""
        test taken_on
        structured_medication_review {review}
        """,
    ),
    *family(  # none since a discharge: due at 28 days
        "MEDICINES_REVIEW_OVERDUE",
        """
        out   review  severity  due  overdue  says
        d-28  d-100   -         -    -        -
        d-29  d-100   low       d-1  1        none_since_the_discharge_of_d-29
        d-29  d-20    -         -    -        -
        d-29  d-29    -         -    -        -
        d-29  d-30    low       d-1  1        none_since_the_discharge
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-350 380
        """,
        stays="""
        admitted_on discharged_on
        d-60 {out}
        """,
        contacts="""
        contact_on kind
        {review} medicines_review
        """,
    ),
    *family(  # medium with five regular medicines, or a start since the last review
        "MEDICINES_REVIEW_OVERDUE",
        """
        fifth       start  severity  due  overdue
        -           d-500  low       d-5  5
        metformin   d-500  medium    d-5  5
        sertraline  d-10   medium    d-5  5
        """,
        supplies="""
        medicine supplied_on days_supplied
        olanzapine d-500 400
        olanzapine d-100 130
        ramipril d-500 400
        ramipril d-100 130
        atorvastatin d-500 400
        atorvastatin d-100 130
        omeprazole d-500 400
        omeprazole d-100 130
        {fifth} {start} 400
        {fifth} d-10 40
        """,
        contacts="""
        contact_on kind
        d-370 medicines_review
        """,
    ),
]

ALLERGY = [
    *family(  # any allergy row counts, "none known" too, for 365 days
        "ALLERGY_NOT_RECORDED",
        """
        category   label            day    known  severity  due   overdue  verified  says
        allergy    no_known_allergy d-365  d-300  -         -     -        -         -
        allergy    no_known_allergy d-366  d-300  low       d-1   1        no        last_confirmed_on_d-366
        allergy    penicillin       d-9    d-1    -         -     -        -         -
        allergy    penicillin       d-9    d      low       -     -        no        allergy_status_not_recorded
        diagnosis  asthma           d-9    d-1    low       -     -        no        allergy_status_not_recorded
        allergy    penicillin       d-800  d-700  low       d-435 435      no        last_confirmed_on_d-800
        """,
        conditions="""
        category code label recorded_on known_on
        {category} x {label} {day} {known}
        """,
    ),
    *family(
        "ALLERGY_NOT_RECORDED",
        """
        why                    severity  says
        nothing_recorded_ever  low       allergy_status_not_recorded
        """,
        patients="""
        sex
        other
        """,
    ),
]

CASES = [*DOCUMENTS, *TAKEN_BEFORE, *REVIEW, *ALLERGY]
