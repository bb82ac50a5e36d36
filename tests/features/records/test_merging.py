"""A second source for the same people: one person, rows of both, and nothing where they share nobody."""

from __future__ import annotations

import pytest

from features import RecordsError
from features.records.records import Records
from features.records.sources.merging import merge_into
from tests.features.records.sources.fhir.resources import rows
from tests.tables import records


def stores(tmp_path, mine, theirs):
    records(**mine).save(tmp_path / "store")
    records(**theirs).save(tmp_path / "added")
    return merge_into(tmp_path / "store", tmp_path / "added", "mhsds"), Records.load(tmp_path / "store")


SUPPLY = "patient_id medicine supplied_on days_supplied known_on\n anna clozapine 2025-01-01 28 2025-01-02"
CONTACT = "patient_id contact_id contact_on outcome known_on\n {} c1 2025-01-05 attended 2025-01-06"


def test_medicines_of_one_source_and_contacts_of_the_other_are_one_person(tmp_path):
    report, merged = stores(tmp_path, {"supplies": SUPPLY}, {"contacts": CONTACT.format("anna")})
    assert rows(merged, "supplies", "patient_id", "medicine") == [("anna", "clozapine")]
    assert rows(merged, "contacts", "patient_id", "contact_id") == [("anna", "c1")]
    assert report["people"] == {"store": 1, "added": 1, "both": 1, "now": 1}


def test_what_only_one_source_knows_of_a_person_is_kept_and_where_both_know_the_store_stands(tmp_path):
    mine = "patient_id birth_date sex\n anna 1980-05-01 -"
    theirs = "patient_id birth_date sex\n anna 1980-05-02 female"
    _, merged = stores(tmp_path, {"patients": mine}, {"patients": theirs})
    assert rows(merged, "patients", "birth_date", "sex") == [("1980-05-01", "female")]


def test_an_id_that_two_people_have_in_two_sources_stays_two_contacts(tmp_path):
    people = "patient_id\n anna\n bob"
    _, merged = stores(
        tmp_path,
        {"patients": people, "contacts": CONTACT.format("anna")},
        {"patients": people, "contacts": CONTACT.format("bob")},
    )
    assert rows(merged, "contacts", "patient_id", "contact_id") == [("anna", "c1"), ("bob", "mhsds:c1")]


def test_sources_without_a_person_in_common_are_refused_and_the_store_stays(tmp_path):
    with pytest.raises(RecordsError, match="nobody in common"):
        stores(tmp_path, {"supplies": SUPPLY}, {"contacts": CONTACT.format("zoe")})
    assert len(Records.load(tmp_path / "store")) == 1
