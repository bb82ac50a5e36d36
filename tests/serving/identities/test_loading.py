"""Loading the trust's table of names: right rows are sealed, wrong rows are left out and reported by row number
without values, and nobody gets another person's name."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from features.records.reading.nhs_numbers import NhsKey
from serving.identities import repository
from serving.identities.keys import IdentityKeys, NotOpened
from serving.identities.loading import IdentitiesNotRead, load_identities, read_identities, read_table, rotate
from serving.identities.schemas import Identity
from serving.storage.database import Database
from tests.serving.identities.named import NUMBER, PEOPLE, give_names


def table(*rows):
    return pd.DataFrame(rows, columns=["patient_id", "name", "birth_date", "nhs_number"], dtype="string")


def test_a_row_is_a_person_and_every_field_but_the_id_may_be_empty():
    found, report = read_identities(
        table([" N00 ", "Sam  Exampleton", "1981-03-04", "999 000 0018"], ["N01", "Zoë Demoford", "", ""])
    )
    assert found == {"N00": Identity("Sam Exampleton", dt.date(1981, 3, 4), NUMBER), "N01": Identity("Zoë Demoford")}
    assert (report.people, report.with_nhs_number, report.problems) == (2, 1, {})


@pytest.mark.parametrize(
    ("row", "left", "said"),
    [
        (["N00", "Sam", "04/03/1981", ""], Identity("Sam"), "birth_date is not a past date as YYYY-MM-DD"),
        (["N00", "Sam", "2999-01-01", ""], Identity("Sam"), "birth_date is not a past date"),
        (["N00", "Sam", "", "9990000019"], Identity("Sam"), "nhs_number is not a valid NHS number"),
        (["N00", "S" * 201, "1981-03-04", ""], Identity("", dt.date(1981, 3, 4)), "longer than 200"),
        (["", "Sam", "", ""], None, "patient_id is empty"),
        ([NUMBER, "Sam", "", ""], None, "patient_id is an NHS number"),
    ],
)
def test_a_wrong_row_is_left_out_and_reported_by_its_number(row, left, said):
    found, report = read_identities(table(row))
    assert found == ({"N00": left} if left else {})
    (why,) = report.problems
    assert said in why and report.problems[why] == [1]
    assert not any(value and value in " ".join(report.lines()) for value in row[1:])


def test_two_rows_that_differ_give_nobody_a_name():
    found, report = read_identities(table(["N00", "Sam", "", ""], ["N00", "Alex", "", ""], ["N01", "Kit", "", ""]))
    assert set(found) == {"N01"} and report.problems == {"two rows of one person differ; neither is used": [1, 2]}


def test_a_number_shared_by_two_people_is_given_to_neither_of_them():
    found, _ = read_identities(table(["N00", "Sam", "", NUMBER], ["N01", "Kit", "", NUMBER]))
    assert found == {"N00": Identity("Sam"), "N01": Identity("Kit")}


def test_an_id_that_is_an_nhs_number_becomes_the_pseudonym_that_ingest_made():
    key = NhsKey("k1", b"k" * 32)
    found, _ = read_identities(table([NUMBER, "Sam", "", ""]), key)
    assert set(found) == {key.pseudonym(NUMBER)}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_csv_and_parquet_are_read_alike(tmp_path, suffix):
    frame = table(["0012", "Sam", "1981-03-04", NUMBER])
    path = tmp_path / f"names.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path, index=False)
    assert read_identities(read_table(path))[0] == {"0012": Identity("Sam", dt.date(1981, 3, 4), NUMBER)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who,name\nN00,Sam\n", "no column patient_id"),
        ("patient_id,surname\nN00,Sam\n", "none of the columns"),
        ("patient_id,name\n,Sam\n", "no row names a person"),
        ('patient_id,name\n"N00,Sam\nN01,x,y,z\n', "cannot be read"),
    ],
)
def test_a_file_that_is_no_such_table_changes_nothing(home, tmp_path, text, said):
    keys = give_names(home)
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(IdentitiesNotRead, match=said) as refused:
        load_identities(home, path, keys)
    assert "Sam" not in str(refused.value)
    assert _held(home, keys) == PEOPLE


def test_a_load_replaces_the_table_as_a_whole(home, tmp_path):
    keys = give_names(home)
    path = tmp_path / "names.csv"
    path.write_text("patient_id,name\nN05,Kit Mockwell\n")
    load_identities(home, path, keys)
    assert _held(home, keys) == {"N05": Identity("Kit Mockwell")}


def test_a_changed_key_seals_everything_again_and_the_old_one_can_go(home, tmp_path):
    old = give_names(home)
    new = IdentityKeys("k2", {"k2": b"n" * 32, **old.secrets})
    assert (rotate(home, new), rotate(home, new)) == (len(PEOPLE), 0)
    assert _held(home, IdentityKeys("k2", {"k2": b"n" * 32})) == PEOPLE


def test_a_key_that_is_missing_changes_nothing(home):
    old = give_names(home)
    with pytest.raises(NotOpened, match="holds no key"):
        rotate(home, IdentityKeys("k2", {"k2": b"n" * 32}))
    assert _held(home, old) == PEOPLE


def _held(home, keys):
    database = Database(f"sqlite:///{home / 'service.db'}")
    with database.write() as connection:
        rows = repository.all_sealed(connection)
    database.close()
    return {r.patient_id: Identity.from_json(keys.open(r.sealed, r.patient_id, r.key_id)) for r in rows}
