"""The logic in time: how long a medicine was taken, through breaks, stays in hospital and changes within a group.

The answers were written before the rules were run, from docs/clinical.md and the reference tables (mp218 and mp221:
continuous use; a course ends after 90 days without supply).
"""

from __future__ import annotations

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

VIGNETTES = [*CONTINUOUS, *SUDDEN]
