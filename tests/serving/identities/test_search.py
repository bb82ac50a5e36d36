"""Who a search finds: by name, NHS number or id, of the caller's people only."""

from __future__ import annotations

import pytest

from serving.auditlog.log import Audit
from serving.identities.schemas import Identity, Sought, name_words
from serving.identities.service import names_of, search_people
from serving.identity.callers import Caller, Role
from tests.serving.identities.named import NUMBER, PEOPLE, give_names

NORTH = Caller("north-1", Role.PHARMACIST, frozenset({"north"}), "Noor")
SYSTEM = Caller("system", Role.CMHT_SYSTEM, None, "EHR")


@pytest.mark.parametrize(
    ("typed", "name", "fits"),
    [
        ("canar", "Zephyrine Canaryton", True),
        ("CANARYTON zeph", "Zephyrine Canaryton", True),
        ("anaryton", "Zephyrine Canaryton", False),
        ("zoe", "Zoë Inventedford", True),
        ("o'ex", "Anne-Marie O'Exampleby", True),
        ("oexampleby", "Anne-Marie O'Exampleby", True),
        ("exampleby", "Anne-Marie O’Exampleby", True),
        ("anne-marie", "Anne-Marie O'Exampleby", True),
        ("marie x", "Anne-Marie O'Exampleby", False),
    ],
)
def test_a_search_matches_the_beginning_of_each_word_of_a_name(typed, name, fits):
    assert (Sought.of(typed).rank("N00", Identity(name), name_words(name)) is not None) is fits


@pytest.mark.parametrize(
    ("typed", "rank"),
    [("n00", 0), ("N0", 1), ("N01", None), ("999 000 0018", 0), ("NHS 999-000-0018", 0), ("9990000026", None)],
)
def test_an_id_and_an_nhs_number_find_exactly_one_person(typed, rank):
    assert Sought.of(typed).rank("N00", Identity("Sam", None, NUMBER), name_words("Sam")) == rank


@pytest.fixture
def found(home, database):
    keys = give_names(home)

    def search(text, caller=NORTH, with_keys=True):
        audit = Audit.of(database, caller, "test")
        answer = search_people(database, caller, keys if with_keys else None, audit, text)
        return [one.patient_id for one in answer.items]

    return search


def test_a_search_finds_the_callers_people_only(found):
    assert found("zeph") == ["N00"]  # and not Zephyr Southfield of the south team
    assert found("9990000034") == found("S02") == []


def test_without_the_key_people_are_found_by_id(found):
    assert found("zeph", with_keys=False) == [] and found("N00", with_keys=False) == ["N00"]


def test_a_system_finds_by_id_only(found):
    assert found("zeph", caller=SYSTEM) == [] and found("S02", caller=SYSTEM) == ["S02"]


def test_a_search_of_one_letter_finds_nobody(found):
    assert found("n") == []


def test_names_are_given_for_the_callers_people_only(home, database):
    keys = give_names(home)
    assert names_of(database, NORTH, keys, ["N00", "N03", "S02"]) == {"N00": PEOPLE["N00"]}
    assert names_of(database, SYSTEM, keys, ["N00"]) == {} == names_of(database, NORTH, None, ["N00"])
