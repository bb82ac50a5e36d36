"""A fifth round: one medicine from two sources, regular from one and when needed from the other; and short-acting
injections, which are no depot and no regular treatment.

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

GIVEN = "medicine supplied_on kind dose_mg days_supplied\n"
TABLETS = "\n" + "\n".join(f"olanzapine d-{ago} dispensed - 28" for ago in range(172, 3, -28))


def acuphase(mg: float, *ago: int, name: str = "zuclopenthixol_acetate_injection") -> str:
    return GIVEN + "\n".join(f"{name} d-{day} administered {mg:g} -" for day in ago)


SHORT_ACTING: list[Vignette] = [
    vignette(
        "zuclopenthixol acetate 150 mg three times in six days: 450 mg",
        Must(
            "DOSE_ABOVE_MAXIMUM", "high", "450 mg in 14 days; at most 400 mg", does="prescriber", title="short-acting"
        ),
        supplies=acuphase(150, 8, 5, 2),
    ),
    vignette(
        "the same under its brand",
        Must("DOSE_ABOVE_MAXIMUM", "high", "450 mg"),
        supplies=acuphase(150, 8, 5, 2, name="Clopixol_Acuphase"),
    ),
    vignette(
        "zuclopenthixol acetate 50 mg five times in ten days: one injection too many",
        Must("DOSE_ABOVE_MAXIMUM", "high", "5 injections in 14 days; at most 4"),
        supplies=acuphase(50, 12, 10, 7, 5, 2),
    ),
    vignette(
        "zuclopenthixol acetate 50 mg every six days for three weeks: the course is too long",
        Must("DOSE_ABOVE_MAXIMUM", "high", "from d-21 to d-3; a course lasts at most 14 days"),
        supplies=acuphase(50, 21, 15, 9, 3),
    ),
    vignette(
        "zuclopenthixol acetate 100 mg four times in eight days: at its limit and not above",
        not_found=("DOSE_ABOVE_MAXIMUM", "HDAT", "LAI_OVERDUE", "LAI_SAFE_USE"),
        supplies=acuphase(100, 10, 8, 5, 2) + TABLETS,
    ),
    vignette(
        "two courses of zuclopenthixol acetate, half a year apart",
        not_found=("DOSE_ABOVE_MAXIMUM",),
        supplies=acuphase(100, 189, 187, 184, 8, 5, 2) + TABLETS,
    ),
    vignette(
        "zuclopenthixol acetate twice last month beside tablets: no late depot, no stop, no gap of supply",
        not_found=(
            "LAI_OVERDUE",
            "REGIMEN_CHANGE_RECENT",
            "SUPPLY_GAP_ORAL",
            "ADHERENCE_FALLING",
            "ANTIPSYCHOTIC_POLYPHARMACY",
            "DOSE_ABOVE_MAXIMUM",
        ),
        supplies=acuphase(100, 40, 37) + TABLETS,
    ),
    vignette(
        "psychosis, tablets until half a year ago and zuclopenthixol acetate last month: no regular treatment",
        Must("NO_ANTIPSYCHOTIC", "high", "olanzapine supply ran out"),
        supplies=acuphase(100, 40, 37)
        + "\n"
        + "\n".join(f"olanzapine d-{ago} dispensed - 28" for ago in range(400, 200, -28)),
        conditions=CODED + "diagnosis icd10 F20.0 x d-900",
    ),
    vignette(
        "allergy to thioxanthenes and zuclopenthixol acetate",
        Must("ALLERGY_CONFLICT", "critical", "zuclopenthixol"),
        supplies=acuphase(50, 3),
        conditions=CODED + "allergy local x Thioxanthenes d-900",
    ),
]

VIGNETTES = [*TWO_SOURCES, *SHORT_ACTING]
