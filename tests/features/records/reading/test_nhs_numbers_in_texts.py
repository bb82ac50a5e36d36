"""NHS numbers are found the same way among few texts, by Python's pattern, and among many, by Arrow's."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.records.reading import nhs_numbers
from features.records.reading.nhs_numbers import text_without_numbers

TEXTS = st.text("0123456789٠١٢٩４７ -.:/\n\u00a0aZ", max_size=24)


@given(st.lists(st.one_of(st.none(), TEXTS), max_size=12))
def test_few_and_many_texts_give_the_same_matches(texts):
    words = pa.array(texts, pa.string())
    few = nhs_numbers._with_ten_digits(words)
    many = nhs_numbers._with_ten_digits(pa.concat_arrays([words, pa.array([""] * nhs_numbers.FEW)]))
    assert list(few) == list(many)


def test_a_number_is_blanked_among_few_texts_and_among_many():
    told = "letter for 943 476 5919, seen"
    for texts in ([told, None, "12 of 2026"], [told, *(f"note {n}" for n in range(nhs_numbers.FEW))]):
        clean, held = text_without_numbers(pa.array(texts, pa.string()))
        assert held == 1 and clean[0].as_py() == "letter for [NHS number], seen"
        assert clean[1:].to_pylist() == texts[1:]
