"""A fifth round: one medicine from two sources, regular from one and when needed from the other.

The answers were written before the rules were run.
"""

from __future__ import annotations

from tests.spec.gaps.vignettes import Must, Vignette, every, vignette
from tests.spec.gaps.vignettes_other_inputs import CODED

SOURCES = "medicine supplied_on days_supplied prescriber as_required\n"

TWO_SOURCES: list[Vignette] = [
    vignette(
        "quetiapine regularly from the trust, and more of it when needed from the GP, agreed by nobody",
        Must("SHARED_CARE_UNCLEAR", "low", "quetiapine: supplied by trust and GP.*when needed"),
        supplies=SOURCES + every("quetiapine", 28, 200, 4, "trust false") + "\nquetiapine d-12 14 gp true",
    ),
    vignette(
        "lorazepam when needed from the trust and every day from the GP",
        Must("SHARED_CARE_UNCLEAR", says="lorazepam: supplied by trust and GP"),
        supplies=SOURCES + every("lorazepam", 28, 88, 4, "gp false") + "\nlorazepam d-20 14 trust true",
    ),
    vignette(
        "the same, with an agreement of last month: settled",
        not_found=("SHARED_CARE_UNCLEAR",),
        supplies=SOURCES + every("lorazepam", 28, 88, 4, "gp false") + "\nlorazepam d-20 14 trust true",
        conditions=CODED + "shared_care local agreed lorazepam d-30",
    ),
    vignette(
        "quetiapine both regularly and when needed, all of it from the GP",
        not_found=("SHARED_CARE_UNCLEAR",),
        supplies=SOURCES + every("quetiapine", 28, 200, 4, "gp false") + "\nquetiapine d-12 14 gp true",
    ),
    vignette(
        "olanzapine regularly from the trust, lorazepam when needed from the GP: two medicines",
        not_found=("SHARED_CARE_UNCLEAR",),
        supplies=SOURCES + every("olanzapine", 28, 200, 4, "trust false") + "\nlorazepam d-12 14 gp true",
    ),
    vignette(
        "quetiapine when needed from the GP half a year ago, regularly from the trust since: over",
        not_found=("SHARED_CARE_UNCLEAR",),
        supplies=SOURCES + "quetiapine d-180 14 gp true\n" + every("quetiapine", 28, 172, 4, "trust false"),
    ),
]

VIGNETTES = [*TWO_SOURCES]
