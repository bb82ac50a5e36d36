"""A new NHS number key without a full ingest: everybody keeps one id. The numbers are made up from test ranges."""

from __future__ import annotations

import json
import stat

import pandas as pd
import pytest
from typer.testing import CliRunner

import upstream
from features import Records
from features.records.reading.nhs_numbers import KeyProblem, NhsKey
from serving.auditlog.home import verify_home
from serving.messages.numbers.loading import store_numbers
from tests.serving.messages.desks import KEYS
from tests.serving.world import records

NUMBERS = ("9434765919", "9434765870", "9990000018")


def key_file(folder, key_id, sign):
    file = folder / f"{key_id}.key"
    file.write_text(f"{key_id}:{(sign * 32).encode().hex()}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def old(tmp_path):
    return key_file(tmp_path, "k1", "a")


@pytest.fixture
def new(tmp_path):
    return key_file(tmp_path, "k2", "b")


@pytest.fixture
def home(tmp_path, old):
    """Two people in the store by number and one by a local id; a third, by number, in the database alone."""
    key = NhsKey.read(old)
    ids = [key.pseudonym(NUMBERS[0]), key.pseudonym(NUMBERS[1]), "L7"]
    some = records()
    frames = {name: some[name] for name in some.tables}
    people = pd.DataFrame({"patient_id": ids, "birth_date": "1980-01-01"})
    frames = {name: people if name == "patients" else frame.iloc[:0] for name, frame in frames.items()}
    Records.from_frames(frames).save(tmp_path / "home" / "store")
    store_numbers(tmp_path / "home", {key.pseudonym(NUMBERS[2]): ("+447700900001", True)}, KEYS)
    return tmp_path / "home"


def rotate(home, old, new, numbers, *options):
    file = home.parent / "names.csv"
    file.write_text("name,nhs_number\n" + "".join(f"somebody,{number}\n" for number in numbers))
    words = ["keys", "rotate-nhs", str(file), "--old-key-file", str(old), "--key-file", str(new), "--home", str(home)]
    return CliRunner().invoke(upstream.app, [*words, *options])


def test_the_new_key_finds_everybody_without_a_full_ingest(home, old, new):
    done = rotate(home, old, new, ["943 476 5919", *NUMBERS[1:], "9990000026", "not a number"], "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"old_key": "k1", "new_key": "k2", "people": 3, "not_found": 0}
    before, after = NhsKey.read(old), NhsKey.read(new)
    old.unlink()
    assert [after.pseudonym(number) for number in NUMBERS] == [before.pseudonym(number) for number in NUMBERS]
    assert after.pseudonym("9990000026").startswith("k2.")  # of nobody here: a new person, under the new key
    written = new.with_name("k2.key.known")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600 and not any(n in written.read_text() for n in NUMBERS)
    assert verify_home(home).broken == []


def test_a_key_that_replaced_a_key_is_replaced_too(home, old, new, tmp_path):
    third = key_file(tmp_path, "k3", "c")
    assert rotate(home, old, new, NUMBERS).exit_code == rotate(home, new, third, NUMBERS).exit_code == 0
    assert NhsKey.read(third).pseudonym(NUMBERS[0]) == NhsKey.read(old).pseudonym(NUMBERS[0])


def test_nobody_becomes_a_new_person_unseen(home, old, new):
    refused = rotate(home, old, new, NUMBERS[:2])
    assert refused.exit_code == 1 and "1 people have an id of the key k1 and no row" in refused.output
    assert not new.with_name("k2.key.known").exists()
    assert rotate(home, old, new, NUMBERS[:2], "--leave").exit_code == 0


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("not json", "cannot be read"),
        ('{"key_id": "k2", "ids": []}', "cannot be read"),
        ('{"key_id": "k9", "ids": {}}', "another"),
    ],
)
def test_ids_from_before_a_key_that_cannot_be_read_stop_everything(new, known, said):
    """Without them everybody would become a new person."""
    new.with_name("k2.key.known").write_text(known)
    with pytest.raises(KeyProblem, match=said):
        NhsKey.read(new)


def test_one_key_under_two_names_is_refused(home, old, tmp_path):
    again = key_file(tmp_path, "k5", "a")
    assert "make one with another id" in rotate(home, old, again, NUMBERS).output
