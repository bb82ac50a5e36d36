"""A request's people: cleaned before anything compares them, so that two spellings are one person, and refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from serving.scoring.schemas import ScoresRequest

NUMBER = "9434765919"


def ask(*ids: str, rows_of: str | None = None) -> ScoresRequest:
    tables = {} if rows_of is None else {"supplies": [{"patient_id": rows_of, "medicine": "lithium"}]}
    return ScoresRequest.model_validate({"people": [{"patient_id": one, "tables": tables} for one in ids]})


@pytest.mark.parametrize("second", ["p1 ", " p1", "p1\u00a0", "p1\u200b", "ｐ１", "p１", "\ufeffp1"])
def test_two_spellings_of_one_id_are_one_person_twice(second):
    assert ask(second).people[0].patient_id == "p1"
    with pytest.raises(ValidationError) as refused:
        ask("p1", second)
    assert {fault["type"] for fault in refused.value.errors()} == {"repeated_person"}


@pytest.mark.parametrize(
    "spelled", [NUMBER, f"NHS:{NUMBER}", "９４３４７６５９１９", f"{NUMBER}.0", "943\u00a0476\u00a05919", f"{NUMBER}A"]
)
def test_an_nhs_number_in_any_spelling_is_no_local_id(spelled):
    with pytest.raises(ValidationError) as refused:
        ask(spelled)
    assert {fault["type"] for fault in refused.value.errors()} == {"nhs_number_as_id"}


def test_rows_name_their_person_in_any_spelling_and_nobody_else():
    assert ask("p1", rows_of="p1 ").people
    with pytest.raises(ValidationError) as refused:
        ask("p1", rows_of="p2")
    assert {fault["type"] for fault in refused.value.errors()} == {"other_person"}


@pytest.mark.parametrize("nothing", [" ", "\u200b", "9.43E+09"])
def test_an_empty_id_is_refused(nothing):
    with pytest.raises(ValidationError):
        ask(nothing)
