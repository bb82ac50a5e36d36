"""Situations of the review that no other file holds: what docs/vignettes.md names beside the rest.

Days, doses and medicines are our own.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette
from tests.spec.gaps.vignettes_other_inputs import CODED, DEPOT, HEAD, KINDS, RESULTS, depots

STEADY = HEAD + every("clozapine", 28, 1100, 8)
WOMAN = "birth_date sex\n1994-03-03 female"
OLD_VALPROATE = HEAD + every("valproate", 28, 1900, 8)

CLOZAPINE: list[Vignette] = [
    vignette(
        "neutrophils 0.9, BEN registered: red by the lower limits too",
        Must("CLZ_RESULT_RED_AMBER", "critical", r"0\.9 .*red \(BEN", "^Stop clozapine", title="^Red"),
        supplies=STEADY,
        circumstances=KINDS + "benign_ethnic_neutropenia registered d-500",
        results=RESULTS + "anc d-2 0.9\nwbc d-2 3.4",
    ),
    vignette(
        "neutrophils 1.2, BEN registered: amber by the lower limits",
        Must("CLZ_RESULT_RED_AMBER", "high", r"1\.2 .*amber \(BEN", title="^Amber"),
        supplies=STEADY,
        circumstances=KINDS + "benign_ethnic_neutropenia registered d-500",
        results=RESULTS + "anc d-2 1.2\nwbc d-2 3.4",
    ),
    vignette(
        "Denzapine ran out six days ago: past 72 hours, the counts start again",
        Must("CLZ_BREAK", "critical", "past 72.*weekly for 6 weeks"),
        supplies=HEAD + "clozapine d-34 28",
        circumstances=KINDS + "clozapine_service denzapine d-300",
    ),
    vignette(
        "28 days collected every 26 for two years, last 41 days ago: 28 days do not last 41",
        Must("CLZ_BREAK", "critical", "ran out"),
        supplies=HEAD + "\n".join(f"clozapine d-{ago} 28" for ago in range(41 + 26 * 28, 40, -26)),
    ),
    vignette(
        "ciprofloxacin from the GP since two days, with clozapine",
        Must("INTERACTION_NEW", "high", "clozapine with ciprofloxacin"),
        supplies=STEADY + "\nciprofloxacin d-2 7",
    ),
]
LITHIUM: list[Vignette] = [
    vignette(
        "lithium dose raised 45 days ago, the level rose a week later and was not repeated",
        Must("LI_LEVEL_OVERDUE", "high", r"dose changed on d-45; level 0\.9 .* not repeated"),
        supplies="medicine supplied_on days_supplied daily_dose_mg\n"
        + every("lithium", 28, 745, 46, "400")
        + "\n"
        + every("lithium", 28, 45, 1, "600"),
        results=RESULTS + "lithium_level d-90 0.5\nlithium_level d-38 0.9",
    ),
    vignette(
        "eGFR of 24 on lithium",
        Must("LI_RENAL_THYROID_CALCIUM", "critical", "eGFR 24"),
        supplies=HEAD + every("lithium", 28, 1500, 8),
        results=RESULTS + "egfr d-6 24",
    ),
    vignette(
        "GP took over lithium 15 days ago, agreement of eight years ago: not about this transfer",
        Must("SHARED_CARE_UNCLEAR", "medium", "lithium: .*older than this transfer"),
        supplies="medicine supplied_on days_supplied prescriber\n"
        + every("lithium", 28, 300, 43, "trust")
        + "\nlithium d-15 28 gp",
        conditions=CODED + "shared_care local agreed lithium d-2900",
    ),
]
VALPROATE: list[Vignette] = [
    vignette(
        "woman of 31, valproate begun 70 days ago, form signed, one specialist",
        Must("VALPROATE_PPP", "high", "two specialists for the new start not recorded"),
        not_found=("VALPROATE_PPP:annual risk form",),
        patients=WOMAN,
        supplies=HEAD + every("valproate", 28, 70, 8),
        circumstances=KINDS + "childbearing_potential yes d-80",
        results=RESULTS + "annual_risk_acknowledgement d-70 -",
    ),
    vignette(
        "woman of 31, valproate for five years, form of last winter, no second specialist ever",
        Must("VALPROATE_PPP", "", "second specialist not recorded; it is needed at the next annual review"),
        not_found=("VALPROATE_PPP:annual risk form",),
        patients=WOMAN,
        supplies=OLD_VALPROATE,
        circumstances=KINDS + "childbearing_potential yes d-1900",
        results=RESULTS + "annual_risk_acknowledgement d-150 -",
    ),
    vignette(
        "childbearing potential recorded as Y, valproate for five years, no form",
        Must("VALPROATE_PPP", "high", "annual risk form not recorded"),
        not_found=("VALPROATE_PPP:cannot assess",),
        patients=WOMAN,
        supplies=OLD_VALPROATE,
        circumstances=KINDS + "childbearing_potential Y d-1900",
    ),
    vignette(
        "valproate bloods of two years ago: overdue by name and date",
        Must(
            "MONITORING_OVERDUE",
            "high",
            "full blood count: last recorded d-750.*liver function: .*d-750",
            title=r"^[A-Z].* \(valproate\) and 2 more overdue$",
        ),
        patients="birth_date sex\n1970-03-03 male",
        supplies=OLD_VALPROATE,
        results=RESULTS + "lft d-750 -\nfbc d-750 -",
    ),
    vignette(
        "lamotrigine added to valproate four days ago",
        Must("INTERACTION_NEW", "high", "valproate with lamotrigine.*halve"),
        supplies=OLD_VALPROATE + "\nlamotrigine d-4 28",
    ),
]
DEPOTS: list[Vignette] = [
    vignette(
        "paliperidone 3-monthly given 130 days ago",
        Must("LAI_OVERDUE", "critical", "past the product's missed-dose limit"),
        supplies=DEPOT + depots("paliperidone_palmitate_3-monthly_injection", 84, 130),
    ),
    *(
        vignette(
            f"{medicine.replace('_', ' ')} every {apart} days, given {ago} days ago",
            Must("LAI_OVERDUE", "medium", f"{ago - apart} days past due"),
            supplies=DEPOT + depots(medicine, apart, ago),
        )
        for medicine, apart, ago in (
            ("zuclopenthixol_decanoate_injection", 7, 11),
            ("flupentixol_decanoate_injection", 14, 18),
            ("risperidone_microspheres_injection", 14, 19),
        )
    ),
    vignette(
        "haloperidol decanoate for years, ECG three years ago: overdue by name and date",
        Must("MONITORING_OVERDUE", "", "ECG: last recorded d-1100"),
        supplies=DEPOT + depots("haloperidol_decanoate_injection", 28, 10, 45),
        results=RESULTS + "qtc d-1100 415",
    ),
]
OTHERS: list[Vignette] = [
    vignette(
        "schizophrenia in ICD-10, olanzapine for years, the annual checks 700 days ago",
        Must("MONITORING_NEVER_DONE", "", "annual physical health check"),
        supplies=HEAD + every("olanzapine", 28, 1600, 8),
        conditions=CODED + "diagnosis icd10 F20.0 x d-1700",
        results=RESULTS
        + "weight d-700 80\nsystolic_bp d-700 120\nhba1c d-700 36\nlipids d-700 -\nalcohol_status d-700 -\n"
        + "smoking_status d-700 -\nannual_physical_health_check d-700 -",
    ),
    vignette(
        "paroxetine for a year and a half ran out six days ago: act now",
        Must("WITHDRAWAL_RISK", "high", "paroxetine ran out on d-6", "today", title="not to stop suddenly"),
        supplies=HEAD + every("paroxetine", 28, 594, 34),
    ),
    vignette(
        "olanzapine collected weekly, two collections missed",
        Must("SUPPLY_GAP_ORAL", "medium", "14 days ago; supplied weekly"),
        supplies=HEAD + every("olanzapine", 7, 203, 21),
    ),
    vignette(
        "seven regular medicines, reviewed 200 days ago: within the year",
        not_found=("MEDICINES_REVIEW_OVERDUE",),
        supplies=HEAD
        + "\n".join(
            every(name, 28, 300, 8)
            for name in (
                "olanzapine",
                "lithium",
                "sertraline",
                "omeprazole",
                "metformin",
                "amlodipine",
                "atorvastatin",
            )
        ),
        contacts="contact_on kind\nd-200 medicines_review",
    ),
    vignette(
        "naproxen added to citalopram three days ago: bleeding",
        Must("INTERACTION_NEW", "high", "citalopram with naproxen.*bleed"),
        supplies=HEAD + every("citalopram", 28, 400, 8) + "\nnaproxen d-3 14",
    ),
    vignette(
        "sertraline added to phenelzine four days ago",
        Must("INTERACTION_NEW", "critical", "phenelzine with sertraline"),
        supplies=HEAD + every("phenelzine", 28, 400, 8) + "\nsertraline d-4 28",
    ),
    vignette(
        "HbA1c of 51 for the first time: the diabetes range, and not a programme to prevent it",
        Must("METABOLIC_WORSENING", "high", "51 mmol/mol", "diabetes range", never="prevention"),
        supplies=HEAD + every("olanzapine", 28, 400, 8),
        results=RESULTS + "hba1c d-9 51",
    ),
]
PREGNANT: list[Vignette] = [
    vignette(
        f"valproate and a pregnancy, {what}: the pregnancy first, and no contraception asked for",
        Must(
            "VALPROATE_PPP",
            "critical",
            "^pregnancy recorded on d-20; valproate supplied",
            "^Valproate in pregnancy: urgent",
            never="contraception|prevention programme applies",
            title="^Valproate taken in pregnancy$",
        ),
        not_found=("VALPROATE_PPP:contraception|childbearing", "PREGNANCY_RISK"),
        patients=patient,
        supplies=OLD_VALPROATE,
        conditions=CODED + "diagnosis snomed 77386006 x d-20",
        **tables,
    )
    for what, patient, tables in (
        ("nothing else recorded", WOMAN, {}),
        ("sex not recorded", "birth_date\n1994-03-03", {}),
        ("recorded as male", "birth_date sex\n1994-03-03 male", {}),
        ("childbearing potential Y", WOMAN, {"circumstances": KINDS + "childbearing_potential Y d-1900"}),
        (
            "childbearing potential ruled out before",
            WOMAN,
            {"circumstances": KINDS + "childbearing_potential no d-900"},
        ),
    )
]
STOPPED: list[Vignette] = [
    *(
        vignette(
            f"{medicine} for two years ran out {ago} days ago: not to stop suddenly",
            Must(code, "high", f"{medicine} ran out on d-{ago}.*seizures", "today", title="not to stop suddenly"),
            supplies=HEAD + every(medicine, 28, 728 + ago, 28 + ago),
        )
        for medicine, ago, code in (
            ("valproate", 4, "SUPPLY_GAP_ORAL"),
            ("carbamazepine", 3, "SUPPLY_GAP_ORAL"),
            ("topiramate", 5, "WITHDRAWAL_RISK"),
        )
    ),
    vignette(
        "valproate changed to lamotrigine six weeks before it ended: a switch",
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=HEAD + every("valproate", 28, 738, 38) + "\n" + every("lamotrigine", 28, 52, 24),
    ),
    vignette(
        "valproate ran out ten days ago beside lithium of many years, which goes on: no switch",
        Must("SUPPLY_GAP_ORAL", "high", "valproate ran out on d-10"),
        supplies=HEAD + every("valproate", 28, 738, 38) + "\n" + every("lithium", 28, 1200, 8),
    ),
    vignette(
        "venlafaxine ran out eight days ago beside mirtazapine of many years, which goes on: no switch",
        Must("WITHDRAWAL_RISK", "high", "venlafaxine ran out on d-8"),
        supplies=HEAD + every("venlafaxine", 28, 736, 36) + "\n" + every("mirtazapine", 28, 1200, 8),
    ),
    vignette(
        "zopiclone ran out eight days ago beside diazepam of many years, which goes on: it stands in",
        not_found=("WITHDRAWAL_RISK",),
        supplies=HEAD + every("zopiclone", 28, 736, 36) + "\n" + every("diazepam", 28, 1200, 8),
    ),
    vignette(
        "valproate ran out two days ago: collected late by a weekend is no stop",
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=HEAD + every("valproate", 28, 730, 30),
    ),
    vignette(
        "lithium ran out 400 days ago and no review since: the review names it, once the gap has ended",
        Must("MEDICINES_REVIEW_OVERDUE", "low", "lithium supply ran out on d-400; no medicines review recorded since"),
        not_found=("SUPPLY_GAP_ORAL",),
        supplies=HEAD + every("lithium", 28, 1128, 428),
    ),
    vignette(
        "lithium ran out 400 days ago, reviewed a month later: decided",
        not_found=("SUPPLY_GAP_ORAL", "MEDICINES_REVIEW_OVERDUE"),
        supplies=HEAD + every("lithium", 28, 1128, 428),
        contacts="contact_on kind\nd-370 medicines_review",
    ),
    *(
        vignette(
            f"{medicine} for two weeks only, ran out 40 days ago: no sudden stop, and a gap all the same",
            Must("SUPPLY_GAP_ORAL", "high", "ran out on d-40"),
            supplies=HEAD + f"{medicine} d-54 14",
        )
        for medicine in ("lithium", "lamotrigine", "valproate", "carbamazepine")
    ),
]
VIGNETTES = [*CLOZAPINE, *LITHIUM, *VALPROATE, *DEPOTS, *OTHERS, *PREGNANT, *STOPPED]
