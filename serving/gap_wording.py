"""How a care gap is said on a page: the gap first, then how long, as in ``Clozapine blood count: 6 days overdue``.

The number that comes with a gap counts days past a due date for most codes, and days without supply for some; ``GAPS``
says which. A code that is not in it is said by its title, which stands alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from features.gaps import CODES
from serving.wording import days


class Said(NamedTuple):
    """``what`` stands before the number of days, which ``long`` takes; ``alone`` is the whole where there is no number
    (empty: the title).

    ``now`` is said on the day itself; without it ``alone`` is. ``date`` is what the gap's date is called.
    """

    what: str
    long: str = "{} overdue"
    now: str = ""
    alone: str = ""
    date: str = "Due"


GAPS: dict[str, Said] = {
    "CLZ_FBC_OVERDUE": Said("Clozapine blood count", now="due now"),
    "CLZ_BREAK": Said("Clozapine supply", "ran out {} ago", alone="Clozapine break", date="Supply ran out"),
    "CLZ_RESULT_RED_AMBER": Said("", alone="Clozapine blood result amber or red"),
    "CLZ_LEVEL_SMOKING": Said("Clozapine level to check", now="due now"),
    "CLZ_GI_HYPOMOTILITY": Said("Constipation risk on clozapine", "bowel check {} overdue"),
    "LI_LEVEL_OVERDUE": Said("Lithium level", now="due now"),
    "LI_RENAL_THYROID_CALCIUM": Said(
        "Lithium kidney, thyroid or calcium test", alone="Lithium kidney, thyroid or calcium test abnormal"
    ),
    "LAI_OVERDUE": Said("Long-acting injection", now="due now"),
    "SUPPLY_GAP_ORAL": Said("Supply of a regular medicine", "ran out {} ago", date="Supply ran out"),
    "WITHDRAWAL_RISK": Said("Supply of a medicine not to stop suddenly", "ran out {} ago", date="Supply ran out"),
    "NO_ANTIPSYCHOTIC": Said("No antipsychotic", "for {}", date="Supply or cover ended"),
    "REGIMEN_CHANGE_RECENT": Said("Recent start, stop or switch", "review {} overdue"),
    "POST_DISCHARGE_RECONCILE": Said("Discharged in the last 28 days"),
    "MONITORING_NEVER_DONE": Said("Annual physical health check or part of it"),
    "MONITORING_OVERDUE": Said("Monitoring of a medicine"),
    "PREGNANCY_RISK": Said("Medicine that may harm a pregnancy", "annual form {} overdue"),
    "CTO_TREATMENT_FORM": Said("Form for treatment on a community order", now="due now"),
    "SIDE_EFFECT_BURDEN": Said("Side-effect assessment", alone="Side effects high"),
    "VALPROATE_PPP": Said("Valproate safety documentation"),
    "NO_CONTACT": Said("Attended contact", now="due now"),
    "MEDICINES_REVIEW_OVERDUE": Said("Medicines review"),
    "ALLERGY_NOT_RECORDED": Said("Allergy status to confirm", alone="Allergy status not recorded"),
}
"""By code (docs/clinical.md section 1.1): those that a number of days may come with, or whose title is long for a
line."""


@lru_cache(maxsize=4_096)
def gap_parts(code: str, title: str, days_overdue: float | None) -> tuple[str, str]:
    """What the gap is and how long it has been so; the second is empty where no length applies."""
    said = GAPS.get(code, Said(title.removesuffix(" overdue"), alone=title))
    if code in CODES and title != CODES[code].title:  # what fired has a title of its own
        said = said._replace(what=title.removesuffix(" overdue"), now="", alone=title)
    if days_overdue is not None and days_overdue >= 1:
        long, what = said.long.format(days(days_overdue)), said.what or title
        if long.startswith("ran out"):  # said once: "Supply of valproate, not to stop suddenly: ran out 20 days ago"
            what = what.replace(" ran out: ", ", ").removesuffix(" ran out")
        return what, long
    if days_overdue is not None and said.now:
        return said.what, said.now
    return said.alone or title, ""


def kind_title(code: str, title: str) -> str:
    """What a whole kind of gap is called: the title of one person's gap can name their medicine."""
    return CODES[code].title if code in CODES else title


def gap_length(code: str, title: str, days_overdue: float | None) -> str:
    """How long alone, for a column of its own; a dash where no length applies."""
    return gap_parts(code, title, days_overdue)[1] or "–"


def gap_date(code: str) -> str:
    """What the date of a gap is called: ``Due`` or ``Supply ran out``."""
    return GAPS[code].date if code in GAPS else "Due"
