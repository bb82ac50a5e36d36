"""Long-acting injections: only what was given counts, and what an injection needs around it."""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, vignette

HEAD = "medicine kind supplied_on interval_days\n"
MONTHLY = "paliperidone_palmitate_1-monthly_injection"
EARLIER = "\n".join(f"{MONTHLY} administered d-{ago} 28" for ago in range(256, 59, -28))  # the last one on d-60
VIGNETTES = [
    vignette(
        "last given 60 days ago and prescribed 5 days ago: a prescription is no injection",
        Must(
            "LAI_OVERDUE",
            "critical",
            "32 days past due; past the product's missed-dose limit of 42 days.*not recorded as given",
            "check the chart",
        ),
        supplies=HEAD + EARLIER + f"\n{MONTHLY} prescribed d-5 28",
    ),
    vignette(
        "last given 60 days ago and dispensed to the clinic 5 days ago: stock is no injection",
        Must("LAI_OVERDUE", "critical", "supplied again on d-5, not recorded as given"),
        supplies=HEAD + EARLIER + f"\n{MONTHLY} dispensed d-5 28",
    ),
    vignette(
        "prescribed every month and never recorded as given: asked, not taken as given",
        Must("LAI_OVERDUE", "medium", "no injection recorded as given", "check the chart", title="No injection"),
        supplies=HEAD + f"{MONTHLY} prescribed d-68 28\n{MONTHLY} prescribed d-40 28\n{MONTHLY} prescribed d-12 28",
    ),
    vignette(
        "prescribed a week ago for the first time: nothing yet",
        not_found=("LAI_OVERDUE",),
        supplies=HEAD + f"{MONTHLY} prescribed d-7 28",
    ),
    vignette(
        "a first-generation depot past six weeks: no limit of the manufacturer is claimed",
        Must(
            "LAI_OVERDUE",
            "critical",
            "the manufacturer sets no missed-dose limit",
            "ask the prescriber how to resume",
            never="product's rule",
        ),
        not_found=("LAI_OVERDUE:past the product",),
        supplies=HEAD + "flupentixol_decanoate_injection administered d-64 14\n"
        "flupentixol_decanoate_injection administered d-50 14",
    ),
    vignette(
        "injection late and no tablets: one line, not an adherence gap as well",
        Must("LAI_OVERDUE", "critical"),
        not_found=("ADHERENCE_FALLING", "SUPPLY_GAP_ORAL"),
        supplies=HEAD + EARLIER,
    ),
    vignette(
        "second loading dose of paliperidone not recorded on day 8, nor by day 12",
        Must("LAI_OVERDUE", "high", "second loading dose.*due d-7.*window has passed", title="Second loading dose"),
        supplies=HEAD + f"{MONTHLY} administered d-14 28",
    ),
    vignette(
        "second loading dose due yesterday, its window still open",
        Must("LAI_OVERDUE", "medium", "second loading dose"),
        supplies=HEAD + f"{MONTHLY} administered d-8 28",
    ),
    vignette(
        "both loading doses given",
        not_found=("LAI_OVERDUE",),
        supplies=HEAD + f"{MONTHLY} administered d-20 7\n{MONTHLY} administered d-13 28",
    ),
    vignette(
        "moved from the 3-monthly to the 1-monthly injection: no loading dose is asked for",
        not_found=("LAI_OVERDUE",),
        supplies=HEAD + "paliperidone_palmitate_3-monthly_injection administered d-104 84\n"
        f"{MONTHLY} administered d-20 28",
    ),
    vignette(
        "first risperidone microspheres 6 days ago and no tablets: three weeks' oral cover",
        Must("LAI_SAFE_USE", "high", "oral cover to d+15 not recorded for 6 days", "supply oral cover until d+15"),
        supplies=HEAD + "risperidone_microspheres_injection administered d-6 14",
    ),
    vignette(
        "first risperidone microspheres 6 days ago with tablets in hand",
        not_found=("LAI_SAFE_USE",),
        supplies="medicine kind supplied_on interval_days days_supplied\n"
        "risperidone_microspheres_injection administered d-6 14 -\nrisperidone dispensed d-10 - 28",
    ),
    vignette(
        "aripiprazole started with one injection 10 days ago and no tablets since",
        Must("LAI_SAFE_USE", "high", "oral cover"),
        supplies=HEAD + "aripiprazole_1-monthly_injection administered d-10 28",
    ),
    vignette(
        "aripiprazole started with two injections on one day, their doses added up: no tablets needed",
        not_found=("LAI_SAFE_USE",),
        supplies="medicine kind supplied_on interval_days dose_mg\n"
        "aripiprazole_1-monthly_injection administered d-10 28 800",
    ),
    vignette(
        "risperidone microspheres given again after a gap past its limit: oral cover again",
        Must("LAI_SAFE_USE", "high", "started on d-6; oral cover"),
        supplies=HEAD + "risperidone_microspheres_injection administered d-70 14\n"
        "risperidone_microspheres_injection administered d-56 14\n"
        "risperidone_microspheres_injection administered d-6 14",
    ),
    vignette(
        "olanzapine embonate 5 days ago: an observation of two months ago does not stand for this one",
        Must("LAI_SAFE_USE", "high", "observation after injection: not recorded for the .* of d-5"),
        not_found=("MONITORING_NEVER_DONE:observation after injection",),
        supplies=HEAD + "olanzapine_embonate_injection administered d-61 28\n"
        "olanzapine_embonate_injection administered d-33 28\nolanzapine_embonate_injection administered d-5 28",
        results="test taken_on\npost_injection_observation d-61",
    ),
    vignette(
        "olanzapine embonate observed on the day",
        not_found=("LAI_SAFE_USE",),
        supplies=HEAD + "olanzapine_embonate_injection administered d-5 28",
        results="test taken_on\npost_injection_observation d-5",
    ),
]
