"""Replies by closed codes in the nightly run: a contact with two clocks, a feature and a line of the year picture; not
before it was known, not twice, and gone again when it is erased or somebody else wrote it."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import upstream
from features import CATALOGUE, Records, build
from features.records.attendance import REPLY_PREFIX
from serving.data_rights.service import erase_person
from serving.messages.reply_contacts import add_reply_contacts, reply_contacts
from serving.messages.retention import erase_texts
from serving.messages.sending import send_texts
from serving.messages.service import change_reply
from serving.nightly.arrival import newest_days
from serving.nightly.run import latest_as_of
from serving.storage.tables import timelines
from tests.serving.messages.desks import NOON, NUMBERS, SAM, arrive, audit_of, desk_over, reply

SENT, KNOWN = dt.date(2026, 1, 6), dt.date(2026, 1, 8)
ANSWERED = "unanswered_texts_share_180d"


@pytest.fixture
def desk(database):
    """Somebody was asked by text, answered 1 on 6 January, and an outage held it up until 8 January."""
    made = desk_over(database)
    send_texts(made, SAM, audit_of(database), ["N03"], "invite", "asked")
    made.now.at = NOON + dt.timedelta(days=2)
    arrive(made, reply(NUMBERS["N03"], "1", "r1", NOON))
    return made


def score(home, as_of):
    done = CliRunner().invoke(upstream.app, ["score", "--home", str(home), "--as-of", str(as_of), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def line_on_the_year(desk, run_id, who="N03"):
    with desk.database.engine.connect() as connection:
        query = select(timelines.c.events).where(timelines.c.run_id == run_id, timelines.c.patient_id == who)
        contacts = connection.scalar(query)["contacts"]
    return [row for row in contacts if row[2] == "text"]


def features(home, as_of, who="N03"):
    spine = pd.DataFrame({"patient_id": [who], "as_of": [pd.Timestamp(as_of)]})
    return build(Records.load(home / "store"), spine, threads=1).values[0]


def test_the_nightly_run_makes_a_reply_a_contact_a_feature_and_a_line_of_the_year(desk, home):
    before = features(home, KNOWN + dt.timedelta(days=1))
    done = score(home, KNOWN + dt.timedelta(days=1))
    assert done["replies_by_text"] == {"added": 1, "withdrawn": 0, "store_written": True}
    contacts = Records.load(home / "store")["contacts"]
    row = contacts[contacts["contact_id"] == f"{REPLY_PREFIX}r1"].iloc[0]
    assert (row["mode"], row["outcome"]) == ("text", "attended")
    assert (row["contact_on"].date(), row["known_on"].date()) == (SENT, KNOWN)
    assert line_on_the_year(desk, done["run_id"]) == [[-3, "other", "text", "attended"]]
    place = list(CATALOGUE.names).index(ANSWERED)
    after = features(home, KNOWN + dt.timedelta(days=1))
    assert np.isnan(before[place]) and after[place] == 0.0


@pytest.mark.parametrize("as_of", [SENT, SENT + dt.timedelta(days=1), KNOWN])
def test_days_before_a_reply_was_known_do_not_read_it(desk, home, as_of):
    """It happened on 6 January and reached us on 8 January: no list of 8 January or before holds any of it."""
    before = features(home, as_of)
    done = score(home, as_of)
    assert done["replies_by_text"]["added"] == 1 and line_on_the_year(desk, done["run_id"]) == []
    np.testing.assert_array_equal(before, features(home, as_of))


def test_a_second_run_adds_nothing_and_gives_the_same_result(desk, home):
    first, second = (score(home, KNOWN + dt.timedelta(days=1)) for _ in range(2))
    assert second["replies_by_text"]["added"] == 0 and second["reused"]
    assert (first["run_id"], first["data_hash"]) == (second["run_id"], second["data_hash"])


def test_two_replies_of_one_day_are_one_contact_and_the_next_night_changes_nothing(desk, home):
    arrive(desk, reply(NUMBERS["N03"], "2", "r2", NOON))
    arrive(desk, reply(NUMBERS["N03"], "1", "r3", NOON + dt.timedelta(days=1)))
    found = [add_reply_contacts(home, home / "store") for _ in range(2)]
    assert [(one.added, one.withdrawn) for one in found] == [(2, 0), (0, 0)]
    assert len(reply_contacts(home)) == 2


def test_words_and_stop_give_no_contact(desk, home):
    for count, words in enumerate(("hello", "STOP", "1 please", "12")):
        arrive(desk, reply(NUMBERS["N04"], words, f"w{count}", NOON))
    assert set(reply_contacts(home)["patient_id"]) == {"N03"}


@pytest.mark.parametrize("how", ["erase_texts", "not_theirs"])
def test_an_erasure_or_a_correction_takes_it_out_of_the_store_again(desk, home, how):
    score(home, KNOWN + dt.timedelta(days=1))
    if how == "erase_texts":
        erase_texts(home, "N03")
    else:
        change_reply(desk, SAM, audit_of(desk.database), "r1", "not_theirs")
    done = score(home, KNOWN + dt.timedelta(days=2))
    assert done["replies_by_text"] == {"added": 0, "withdrawn": 1, "store_written": True}
    assert line_on_the_year(desk, done["run_id"]) == []
    assert not Records.load(home / "store")["contacts"]["contact_id"].str.startswith(REPLY_PREFIX).any()


def test_a_person_who_was_erased_does_not_come_back_by_a_reply(desk, home):
    score(home, KNOWN + dt.timedelta(days=1))
    erase_person(home, "N03", "Sam Ward", "request")
    arrive(desk, reply(NUMBERS["N03"], "1", "r9", NOON))
    assert score(home, KNOWN + dt.timedelta(days=2))["replies_by_text"]["added"] == 0
    assert "N03" not in Records.load(home / "store").patient_ids


def test_a_new_reply_does_not_hide_an_old_feed(desk, home):
    """The extract ends on 2 January. A reply of 6 January does not make its contacts look newer, nor the list later."""
    add_reply_contacts(home, home / "store")
    records = Records.load(home / "store")
    assert records["contacts"]["contact_on"].max() > pd.Timestamp("2026-01-04")
    assert newest_days(records, KNOWN)["contacts"] < SENT
    assert latest_as_of(records) <= SENT


def test_replies_are_not_written_into_an_extract_folder(desk, home, tmp_path):
    extract = Records.load(home / "store").save(tmp_path / "extract", "csv")
    (extract / "about.json").unlink()
    kept = {path.name: path.read_bytes() for path in extract.iterdir()}
    found = add_reply_contacts(home, extract)
    assert not found.store_written and "ingest it first" in found.lines()[0]
    assert {path.name: path.read_bytes() for path in extract.iterdir()} == kept


def test_a_run_without_replies_does_not_touch_the_store(home):
    kept = {path.name: path.stat().st_mtime_ns for path in (home / "store").iterdir()}
    assert add_reply_contacts(home, home / "store").lines() == []
    assert {path.name: path.stat().st_mtime_ns for path in (home / "store").iterdir()} == kept
