"""What a consultant mental-health pharmacist would say of these people, by family."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.spec.gaps import (
    vignettes_antipsychotics,
    vignettes_clozapine,
    vignettes_contact,
    vignettes_depots,
    vignettes_fifth_round,
    vignettes_folding,
    vignettes_fourth_round,
    vignettes_in_time,
    vignettes_kinds,
    vignettes_of_the_review,
    vignettes_other_inputs,
    vignettes_records,
    vignettes_sixth_round,
    vignettes_third_round,
)
from tests.spec.gaps.vignettes import answers, check

VIGNETTES = [
    *vignettes_clozapine.VIGNETTES,
    *vignettes_contact.VIGNETTES,
    *vignettes_depots.VIGNETTES,
    *vignettes_antipsychotics.VIGNETTES,
    *vignettes_folding.VIGNETTES,
    *vignettes_kinds.VIGNETTES,
    *vignettes_other_inputs.VIGNETTES,
    *vignettes_third_round.VIGNETTES,
    *vignettes_of_the_review.VIGNETTES,
    *vignettes_fourth_round.VIGNETTES,
    *vignettes_fifth_round.VIGNETTES,
    *vignettes_sixth_round.VIGNETTES,
    *vignettes_records.VIGNETTES,
    *vignettes_in_time.VIGNETTES,
]


@cache
def found() -> list[list[dict[str, Any]]]:
    return answers(VIGNETTES)


@pytest.mark.parametrize("number", range(len(VIGNETTES)), ids=[str(one) for one in VIGNETTES])
def test_a_vignette_gives_its_gaps(number: int) -> None:
    check(VIGNETTES[number], found()[number])
