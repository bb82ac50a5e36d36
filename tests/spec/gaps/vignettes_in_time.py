"""The logic in time: how long a medicine was taken, through breaks, stays in hospital and changes within a group.

The answers were written before the rules were run, from docs/clinical.md and the reference tables (mp218 and mp221:
continuous use; a course ends after 90 days without supply), which checks a higher dose asks for again, and which ones
another antipsychotic does (mp002 to mp017: days count from the current course of the medicine).
"""

from __future__ import annotations

from typing import Any

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette

HEAD = "medicine supplied_on days_supplied\n"
OLANZAPINE = "\n" + every("olanzapine", 28, 400, 1)
ADULT = "birth_date sex\n1985-01-01 male"

CONTINUOUS: list[Vignette] = [
    vignette(
        "diazepam for a fortnight, nothing for two months, a fortnight: no long use",
        not_found=("BZD_Z_PREGABALIN_LONG",),
        supplies=HEAD + "diazepam d-90 14\ndiazepam d-12 14",
    ),
    vignette(
        "diazepam collected four days late each time: long use all the same",
        Must("BZD_Z_PREGABALIN_LONG", "medium", "diazepam for 160 days"),
        supplies=HEAD + "\n".join(f"diazepam d-{ago} 24" for ago in range(160, 10, -28)),
    ),
    vignette(
        "pregabalin for four weeks, a break of 47 days, three weeks: no long use",
        not_found=("BZD_Z_PREGABALIN_LONG",),
        supplies=HEAD + "pregabalin d-95 28\npregabalin d-20 28",
    ),
    vignette(
        "diazepam before and after a stay of two months: the ward supplied it",
        Must("BZD_Z_PREGABALIN_LONG", "medium", "diazepam for 100 days"),
        supplies=HEAD + "diazepam d-100 28\ndiazepam d-10 28",
        stays="admitted_on discharged_on ward\nd-75 d-12 acute",
    ),
    vignette(
        "zopiclone whose supply ended three weeks ago, then temazepam: said once",
        Must("BZD_Z_PREGABALIN_LONG", "medium", r"^zopiclone then temazepam for 50 days$"),
        supplies=HEAD + "zopiclone d-50 28\ntemazepam d-22 28",
    ),
    vignette(
        "zopiclone beside diazepam for months: two medicines, not one after another",
        Must("BZD_Z_PREGABALIN_LONG", "medium", r"^diazepam for 400 days, zopiclone for 98 days$"),
        supplies=HEAD
        + "\n".join(f"diazepam d-{ago} 28" for ago in range(400, 0, -28))
        + "\n"
        + "\n".join(f"zopiclone d-{ago} 28" for ago in range(98, 0, -28)),
    ),
    vignette(
        "diazepam for four weeks and then temazepam: eight weeks of the group",
        Must("BZD_Z_PREGABALIN_LONG", "medium", "diazepam then temazepam for 55 days"),
        supplies=HEAD + "diazepam d-55 28\ntemazepam d-27 28",
    ),
    vignette(
        "zopiclone half a year ago, temazepam for twenty days",
        not_found=("BZD_Z_PREGABALIN_LONG",),
        supplies=HEAD + "zopiclone d-180 14\ntemazepam d-20 28",
    ),
    vignette(
        "procyclidine for a fortnight twice, 76 days apart: not for more than 90 days",
        not_found=(r"ANTICHOLINERGIC_BURDEN:procyclidine for",),
        patients=ADULT,
        supplies=HEAD + "procyclidine d-100 14\nprocyclidine d-10 14" + OLANZAPINE,
    ),
    vignette(
        "procyclidine for four months",
        Must("ANTICHOLINERGIC_BURDEN", "medium", "procyclidine for 120 days"),
        patients=ADULT,
        supplies=HEAD + every("procyclidine", 28, 120, 1) + OLANZAPINE,
    ),
    vignette(
        "haloperidol for a fortnight in spring and again since ten days, beside olanzapine: no long combination",
        not_found=("ANTIPSYCHOTIC_POLYPHARMACY",),
        supplies=HEAD + "haloperidol d-90 14\nhaloperidol d-10 14" + OLANZAPINE,
    ),
    vignette(
        "a cross-taper stuck for three months",
        Must("ANTIPSYCHOTIC_POLYPHARMACY", "medium", "together since d-90"),
        supplies=HEAD + every("aripiprazole", 28, 90, 1) + OLANZAPINE,
    ),
]

SUDDEN: list[Vignette] = [
    vignette(
        f"{medicine} for 60 days long ago, {days} days of it ran out ten days ago: too short to stop suddenly",
        not_found=("WITHDRAWAL_RISK",),
        supplies=HEAD + f"{medicine} d-{before} 60\n{medicine} d-{days + 10} {days}",
    )
    for medicine, before, days in (("sertraline", 700, 14), ("diazepam", 400, 7), ("pregabalin", 300, 28))
] + [
    vignette(
        "sertraline for 60 days, once late by a fortnight, ran out ten days ago",
        Must("WITHDRAWAL_RISK", "medium", "sertraline"),
        supplies=HEAD + "sertraline d-100 60\nsertraline d-24 14",
    ),
    vignette(
        "paroxetine before, and after, four months in hospital, ran out a week ago",
        Must("WITHDRAWAL_RISK", "high", "paroxetine"),
        supplies=HEAD + "paroxetine d-200 28\nparoxetine d-35 28",
        stays="admitted_on discharged_on ward\nd-175 d-36 acute",
    ),
]


def raised(medicine: str, ago: int, before: int, now: int, *results: str) -> dict[str, Any]:
    """A year on one dose and another from ``ago`` days ago, reviewed, and checked as the start asks."""
    start = ago + 364
    first = [f"alt d-{start - day} 20" for day in (0, 21, 42, 84, 168)]
    pressure = [f"systolic_bp d-{start - day} 120" for day in (0, 40, 80, 250)]
    return {
        "patients": ADULT,
        "supplies": "medicine supplied_on days_supplied daily_dose_mg\n"
        + "\n".join(f"{medicine} d-{day} 28 {before if day > ago else now}" for day in range(start, 0, -28)),
        "results": "test taken_on value\n" + "\n".join((*first, *pressure, *results)),
        "contacts": "contact_on kind\nd-30 medicines_review\nd-5 routine",
    }


AGOMELATINE, PRESSURE = "liver function.*agomelatine.*dose raised on d-{}", "blood pressure.*dose raised on d-60"
RAISED: list[Vignette] = [
    vignette(
        f"agomelatine raised {ago} days ago, {what}",
        Must("MONITORING_OVERDUE", "high", AGOMELATINE.format(ago)),
        **raised("agomelatine", ago, 25, 50, *results),
    )
    for ago, what, results in (
        (40, "no liver function since", ()),
        (60, "liver function at three weeks only", ("alt d-39 20",)),
        (100, "liver function at three and six weeks only", ("alt d-79 20", "alt d-58 20")),
    )
] + [
    vignette(
        f"agomelatine from {before} to {now} mg {ago} days ago, {what}: nothing is late",
        not_found=("MONITORING_OVERDUE",),
        **raised("agomelatine", ago, before, now, *results),
    )
    for ago, before, now, what, results in (
        (40, 25, 50, "liver function at three weeks", ("alt d-19 20",)),
        (40, 25, 50, "liver function two days early", ("alt d-21 20",)),
        (25, 25, 50, "within the days of grace", ()),
        (40, 50, 25, "lowered", ()),
        (40, 25, 25, "unchanged", ()),
    )
]
RAISED += [
    vignette(
        f"{medicine} raised two months ago, blood pressure only before",
        Must("MONITORING_OVERDUE", "", PRESSURE),
        **raised(medicine, 60, 60, 90, "systolic_bp d-70 125"),
    )
    for medicine in ("venlafaxine", "duloxetine")
] + [
    vignette(
        f"venlafaxine from {before} to {now} mg two months ago, blood pressure {day}: nothing is late",
        not_found=("MONITORING_OVERDUE",),
        **raised("venlafaxine", 60, before, now, f"systolic_bp {day} 125"),
    )
    for before, now, day in ((75, 150, "d-50"), (75, 150, "d-60"), (150, 75, "d-70"))
]

RESULTS: list[Vignette] = [
    vignette(
        f"{test} {value} {ago} days ago, {medicine} {what}",
        Must("RESULT_DANGEROUS", says=f"on d-{ago}{words} {medicine}:"),
        supplies=HEAD + every(medicine, 28, began, 1),
        results=f"test taken_on value\n{test} d-{ago} {value}",
    )
    for test, value, medicine in (("ck", 5000, "olanzapine"), ("platelets", 60, "valproate"))
    for ago, began, what, words in (
        (400, 100, "begun since: not said to be of it", ", before"),
        (101, 100, "begun the next day", ", before"),
        (100, 100, "begun that day", " with"),
        (40, 100, "taken then", " with"),
    )
] + [
    vignette(
        "a creatine kinase of 5000 with haloperidol, which is olanzapine now",
        Must("RESULT_DANGEROUS", says="with olanzapine"),
        supplies=HEAD + every("haloperidol", 28, 500, 180) + "\n" + every("olanzapine", 28, 100, 1),
        results="test taken_on value\nck d-400 5000",
    ),
]

PARTS = ("bmi 25", "waist 90", "systolic_bp 120", "pulse 70", "hba1c 36", "total_cholesterol 4")
REST = ("u_and_e", "fbc", "lft", "movement_disorder_check", "side_effect_scale", "adherence_review", "smoking_status")


def change(supplies: str, *checked: int, weighed: tuple[int, ...] = ()) -> dict[str, Any]:
    """Somebody whose physical health was checked, all parts of it, each of some days ago, and the rest 130 days ago."""
    rows = [f"{part.split()[0]} d-{ago} {part.split()[1]}" for ago in checked for part in PARTS]
    rows += [f"{test} d-130 -" for test in (*REST, "prolactin")] + [f"bmi d-{ago} 25" for ago in weighed]
    return {
        "patients": ADULT,
        "supplies": "medicine supplied_on days_supplied as_required\n" + supplies,
        "results": "test taken_on value\n" + "\n".join(rows),
        "contacts": "contact_on kind\nd-30 medicines_review\nd-5 routine",
    }


def after(old: str, new: str, ago: int, since: int = 900) -> str:
    """One medicine for years, and another in its place from ``ago`` days ago."""
    return every(old, 28, since, ago + 1, "false") + "\n" + every(new, 28, ago, 1, "false")


STARTED = "hba1c: last recorded d-130; blood pressure: last recorded d-130; .*olanzapine started on d-110"
CHANGED = [
    vignette(name, Must("MONITORING_NEVER_DONE", "low", STARTED), **change(supplies, 130))
    for name, supplies in {
        "olanzapine since 110 days after aripiprazole, checked only before": after("aripiprazole", "olanzapine", 110),
        "olanzapine since 110 days after an injection": after(
            "paliperidone_palmitate_1-monthly_injection", "olanzapine", 110
        ),
        "olanzapine since 110 days beside aripiprazole, which continues": "\n".join(
            (every("aripiprazole", 28, 900, 1, "false"), every("olanzapine", 28, 110, 1, "false"))
        ),
    }.items()
]
NOT_CHANGED = {
    "olanzapine since 110 days, checked at 12 weeks": change(after("aripiprazole", "olanzapine", 110), 130, 26),
    "olanzapine since 110 days, checked two weeks early": change(after("aripiprazole", "olanzapine", 110), 130, 40),
    "aripiprazole since 95 days: the check at 12 weeks is within its grace": change(
        after("quetiapine", "aripiprazole", 95), 130
    ),
    "olanzapine since 600 days: the yearly check counts": change(after("aripiprazole", "olanzapine", 600), 130),
    "the same substance by injection since 110 days": change(
        after("aripiprazole", "aripiprazole_1-monthly_injection", 110), 130
    ),
    "olanzapine since 30 days, weighed each week": change(
        after("aripiprazole", "olanzapine", 30), 130, weighed=(23, 16, 9, 2)
    ),
}
CHANGED += [
    vignette(name, not_found=("MONITORING_NEVER_DONE", "MONITORING_OVERDUE"), **tables)
    for name, tables in NOT_CHANGED.items()
]
CHANGED += [
    vignette(
        "olanzapine since 30 days after aripiprazole, weighed before it only",
        Must("MONITORING_OVERDUE", "low", "weight.*\\(olanzapine\\); olanzapine started on d-30", title="olanzapine"),
        **change(after("aripiprazole", "olanzapine", 30), 130),
    ),
] + [
    vignette(name, not_found=("MONITORING_NEVER_DONE:started", "MONITORING_OVERDUE:started"), **change(supplies, 130))
    for name, supplies in {
        "clozapine in place of olanzapine asks for its own checks alone": after("olanzapine", "clozapine", 110),
        "haloperidol when needed, beside aripiprazole": "\n".join(
            (every("aripiprazole", 28, 900, 1, "false"), every("haloperidol", 28, 110, 1, "true"))
        ),
    }.items()
]

DOSED = "medicine supplied_on days_supplied daily_dose_mg route\n"
HALOPERIDOL = "\n".join(f"haloperidol d-{ago} 28 10 oral" for ago in range(400, 0, -28))
SUMS = [
    vignette(
        "olanzapine 20 mg ran out eight days ago, haloperidol 10 mg since ten days: changed, not added",
        not_found=("HDAT",),
        supplies=DOSED + "olanzapine d-64 28 20 oral\nolanzapine d-36 28 20 oral\nhaloperidol d-10 28 10 oral",
    ),
    vignette(
        "olanzapine 20 mg supplied two days ago, haloperidol 10 mg since ten days: added",
        Must("HDAT", "high", "150.0%.*olanzapine 100%; haloperidol 50%|haloperidol 50%; olanzapine 100%"),
        supplies=DOSED + "olanzapine d-30 28 20 oral\nolanzapine d-2 28 20 oral\nhaloperidol d-10 28 10 oral",
    ),
    vignette(
        "olanzapine 20 mg ran out eight days ago beside haloperidol 10 mg of a year: late, not stopped",
        Must("HDAT", "high", "olanzapine 100%, ran out on d-8"),
        supplies=DOSED + "olanzapine d-36 28 20 oral\n" + HALOPERIDOL,
    ),
    vignette(
        "haloperidol 10 mg added 50 days ago, olanzapine supplied again, ran out eight days ago: late",
        Must("HDAT", "high", "olanzapine 100%, ran out on d-8"),
        supplies=DOSED + "olanzapine d-64 28 20 oral\nolanzapine d-36 28 20 oral\n"
        "haloperidol d-50 28 10 oral\nhaloperidol d-22 28 10 oral",
    ),
    vignette(
        "haloperidol 15 mg added to olanzapine 10 mg that ran out, beside quetiapine: what is left is too much",
        Must("HDAT", "high", "125.0% of maximum .haloperidol 75%; quetiapine 50%"),
        supplies=DOSED + "olanzapine d-36 28 10 oral\nhaloperidol d-10 28 15 oral\nquetiapine d-10 28 375 oral",
    ),
]

VIGNETTES = [*CONTINUOUS, *SUDDEN, *RAISED, *CHANGED, *SUMS, *RESULTS]
