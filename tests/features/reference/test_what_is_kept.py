"""What is kept of codes and labels that senders write has a limit."""

from __future__ import annotations

import pytest

from features.reference.diagnoses import TEXTS_KEPT, in_group, is_a_diagnosis, is_coded, may_name_a_diagnosis
from features.reference.medicines.allergies import medicines_of_allergy

ASK = {
    is_a_diagnosis: is_a_diagnosis,
    may_name_a_diagnosis: may_name_a_diagnosis,
    is_coded: is_coded,
    in_group: lambda label: in_group("pregnancy", None, label),
    medicines_of_allergy: lambda label: medicines_of_allergy("", label),
}


@pytest.mark.parametrize("kept", ASK, ids=lambda one: one.__name__)
def test_many_labels_fill_no_memory(kept):
    for number in range(TEXTS_KEPT + 100):
        ASK[kept](f"label {number}")
    assert kept.cache_info().currsize <= TEXTS_KEPT
