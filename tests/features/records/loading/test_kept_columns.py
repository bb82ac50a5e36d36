"""A store that was read once opens again by its columns: the same records, and only for the very same store."""

from __future__ import annotations

import datetime as dt
import json
import stat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import Records
from features.records import RecordsError
from features.records.loading import kept_columns
from features.records.loading.kept_columns import BYTES, INDEX
from tests.examples import examples
from tests.features.records.test_resending import extracts, features, split, stored

TODAY = dt.date(2026, 1, 5)
LATER = TODAY + dt.timedelta(days=400)


@pytest.fixture(autouse=True, scope="module")
def few_people_are_enough():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_columns, "LEAST_PEOPLE", 1)
        yield


@pytest.fixture
def store(tmp_path):
    """Two people, one of whom has a contact that was corrected and a smoking status that nobody understands."""
    contact = {"patient_id": "anna", "contact_id": "c", "team_id": "T1", "contact_on": "2025-03-01", "mode": "video"}
    frames = {
        "patients": pd.DataFrame({"patient_id": ["anna", "bede"], "birth_date": ["1980-05-17", None]}),
        "circumstances": pd.DataFrame(
            [{"patient_id": "anna", "kind": "smoking", "value": "see notes", "from_on": "2025-03-01"}]
        ),
        "contacts": pd.DataFrame(
            [
                contact | {"outcome": "attended", "known_on": "2025-03-02"},
                contact | {"outcome": "did_not_attend", "known_on": "2025-04-02"},
            ]
        ),
    }
    folder = Records.from_frames(frames, today=TODAY).save(tmp_path / "store")
    Records.load(folder, today=TODAY)
    assert (folder / INDEX).exists()
    return folder


def is_mapped(folder, today=TODAY):
    return kept_columns.opened(folder, (today - dt.date(1970, 1, 1)).days) is not None


@settings(max_examples=examples(10), deadline=None)
@given(extract=extracts(), seed=st.integers(0, 999))
def test_mapped_columns_equal_those_that_were_read(extract, seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "extract").mkdir()
    try:
        store = Records.load(split(extract, folder / "extract", seed), today=TODAY).save(folder / "store")
    except RecordsError:
        return  # an extract that is refused as a whole
    read = Records.load(store, today=TODAY)
    kept = (store / INDEX).exists()
    assert kept == (not read.set_aside and len(read) > 0)
    mapped = Records.load(store, today=TODAY)
    assert is_mapped(store) == kept
    assert stored(mapped, folder / "again") == stored(read, folder / "first")
    assert mapped.data_hash == read.data_hash
    assert mapped.report == read.report
    assert mapped.about == read.about
    assert mapped.unread.rows() == read.unread.rows()
    assert mapped.quarantine.equals(read.quarantine)
    assert mapped.versions.keys() == read.versions.keys()
    np.testing.assert_array_equal(features(mapped), features(read))


def test_an_earlier_version_is_mapped_too(store):
    mapped = Records.load(store, today=TODAY)
    assert is_mapped(store)
    day = (dt.date(2025, 3, 15) - dt.date(1970, 1, 1)).days
    assert mapped.as_known(day)["contacts"]["outcome"].tolist() == ["attended"]
    assert [one.value for one in mapped.unread_of("anna")] == ["see notes"]


def changed(path, at):
    held = bytearray(path.read_bytes())
    held[at] ^= 1
    path.write_bytes(held)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: (store / INDEX).unlink(),
        lambda store: (store / BYTES).unlink(),
        lambda store: changed(store / BYTES, 10),
        lambda store: changed(store / BYTES, -1),
        lambda store: (store / BYTES).write_bytes((store / BYTES).read_bytes()[:-8]),
        lambda store: (store / INDEX).write_text("{}"),
        lambda store: (store / INDEX).write_text("no JSON"),
        lambda store: (store / "about.json").write_text(
            json.dumps(json.loads((store / "about.json").read_text()) | {"source": "another"})
        ),
    ],
    ids=["no index", "no bytes", "a bit", "the last bit", "cut off", "empty index", "no JSON", "another about"],
)
def test_a_store_whose_kept_columns_do_not_fit_is_read_in_full_and_kept_again(store, change):
    whole = Records.load(store, today=TODAY).data_hash
    change(store)
    assert not is_mapped(store)
    assert Records.load(store, today=TODAY).data_hash == whole
    assert is_mapped(store), "and is kept again"


def test_a_damaged_table_is_refused_as_before(store):
    changed(store / "contacts.parquet", 100)
    with pytest.raises(RecordsError, match="checksum"):
        Records.load(store, today=TODAY)


def test_a_second_file_of_a_table_is_refused_as_before(store):
    (store / "contacts.csv").write_text("patient_id\n")
    with pytest.raises(RecordsError, match=r"contacts\.parquet and contacts\.csv"):
        Records.load(store, today=TODAY)


def test_a_store_that_took_its_place_while_it_was_read_does_not_open_by_its_columns(store, tmp_path, monkeypatch):
    """``upstream ingest`` may replace a store while the nightly run reads it."""
    other = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["cuth"]})}, today=TODAY)
    (store / INDEX).unlink()
    kept = kept_columns.keep

    def replaced_first(folder, *rest):
        other.save(folder)
        kept(folder, *rest)

    monkeypatch.setattr("features.records.records.keep", replaced_first)
    assert Records.load(store, today=TODAY).patient_ids.tolist() == ["anna", "bede"]
    monkeypatch.undo()
    assert (store / INDEX).exists() and not is_mapped(store)
    assert Records.load(store, today=TODAY).patient_ids.tolist() == ["cuth"]


def test_a_later_day_is_mapped_and_an_earlier_day_is_read(store):
    """A row may lie beyond an earlier day, and is then set aside; a later day sets nothing more aside."""
    assert is_mapped(store, LATER)
    assert not is_mapped(store, TODAY - dt.timedelta(days=1))
    assert len(Records.load(store, today=dt.date(2025, 2, 1))["contacts"]) == 0


def test_a_change_of_code_or_accepted_words_reads_the_store_in_full(store, monkeypatch):
    monkeypatch.setattr(kept_columns, "_reader", lambda: "another release")
    assert not is_mapped(store)


def test_a_change_of_a_word_changes_the_reader(tmp_path, monkeypatch):
    for room in ("records", "reference"):
        (tmp_path / room).mkdir()
    words = tmp_path / "reference" / "words.csv"
    monkeypatch.setattr(kept_columns, "PACKAGE", tmp_path)
    found = set()
    for text in ("smoker", "smoker;smokes"):
        words.write_text(text)
        found.add(kept_columns._reader.__wrapped__())
    assert len(found) == 2


def test_writing_to_a_column_does_not_change_the_store(store):
    mapped = Records.load(store, today=TODAY)
    mapped.columns("contacts")["contact_on"][:] = 0
    assert Records.load(store, today=TODAY).columns("contacts")["contact_on"].min() > 0


def test_only_those_who_may_read_the_store_may_read_its_columns(store):
    (store / "about.json").chmod(0o600)
    (store / INDEX).unlink()
    Records.load(store, today=TODAY)
    assert {stat.S_IMODE((store / name).stat().st_mode) for name in (BYTES, INDEX)} == {0o600}


def test_a_folder_that_cannot_be_written_is_read(store, monkeypatch):
    (store / INDEX).unlink()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_columns, "_private", full)
    assert len(Records.load(store, today=TODAY)) == 2
    assert sorted(path.name for path in store.iterdir() if "columns" in path.name) == [BYTES]


def test_columns_are_not_kept_of_small_stores_and_of_extracts(store, tmp_path, monkeypatch):
    Records.load(store, today=TODAY).save(tmp_path / "text", format="csv")
    Records.load(tmp_path / "text", today=TODAY)
    assert not (tmp_path / "text" / INDEX).exists()
    (store / INDEX).unlink()
    Records.load(store, today=TODAY, keep_columns=False)
    monkeypatch.setattr(kept_columns, "LEAST_PEOPLE", 1_000)
    Records.load(store, today=TODAY)
    assert not (store / INDEX).exists()
