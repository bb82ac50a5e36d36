"""Packed values come back bit for bit, and rows of older releases are read as before."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
from contextlib import closing

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from serving.data_rights.service import export_person
from serving.operations import repository as operations
from serving.security.tokens import issue_token
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.explanations import EMPTY, KEPT_APART
from serving.storage.packed import LongJSON, UnknownForm, compressed, plain, plain_text, without_zeros
from serving.storage.tables import people, scores, timelines
from tests.serving.conftest import bearer, sign_in

WAYS = [without_zeros, compressed]
BITS = st.one_of(
    st.just(0), st.sampled_from([1 << 63, 0x7FF8000000000000, 0xFFF0000000000001, 1]), st.integers(0, 2**64 - 1)
)
LONG = [{"concept": "reviews", "sentence": "Raises the estimated risk: time since the last review, café"}] * 9


@pytest.mark.parametrize("pack", WAYS)
@example(bits=[])
@example(bits=[0] * 381)
@given(bits=st.lists(BITS, max_size=400))
def test_numbers_come_back_bit_for_bit(pack, bits):
    data = struct.pack(f"<{len(bits)}Q", *bits)
    packed = pack(data)
    assert plain(packed) == data
    assert len(packed) <= len(data) and (packed == data or len(packed) % 2 == 1)


def test_numbers_that_are_mostly_zero_take_the_space_of_the_others():
    values = np.zeros(381)
    values[::5] = np.random.default_rng(0).normal(size=77)
    assert len(without_zeros(values.tobytes())) == 5 + 48 + 77 * 8


def test_a_form_of_a_newer_release_is_refused():
    with pytest.raises(UnknownForm, match="form 9"):
        plain(b"\x09\0\0\0\0")


@pytest.fixture
def stored(empty_url):
    """A run of one person, with their score and timeline; what was written, and the database."""
    database = Database(empty_url)
    migrations.upgrade(database)
    run = {"run_id": "R", "bundle_id": "B", "model_version": "1", "data_hash": "h", "data_source": "made up"}
    when = "2026-01-06T09:00:00+00:00"
    score = {"outcome": "admission", "horizon_days": 90, "probability": 0.1, "base": 0.0, "horizon_part": 0.0}
    parts = np.where(np.arange(381) % 3, 0.0, np.arange(381) / 7)
    values = np.where(np.arange(381) % 3, np.nan, np.arange(381) / 4)
    person = {"flags": {}, "feature_values": values.tobytes(), "feature_days": np.zeros(381, "<i4").tobytes()}
    person |= {"behind": {"reviews": LONG}, "what_if": None}
    key = {"run_id": "R", "patient_id": "N1"}
    written = {
        people: {**key, "team_id": "north", **person},
        scores: {**key, **score, "contributions": parts.tobytes(), "reasons": LONG},
        timelines: {**key, "medicines": "", "adjustments": [], "events": {"supplies": LONG}},
    }
    with database.write() as connection:
        values_of_run = {"as_of": "2026-01-06", "started_at": when, "finished_at": when, **run}
        names = ", ".join(values_of_run)
        marks = ", ".join(f":{name}" for name in values_of_run)
        said = f"INSERT INTO runs ({names}, synthetic, features, summary) VALUES ({marks}, true, '[]', '{{}}')"
        connection.execute(text(said), values_of_run)
        for table, row in written.items():
            connection.execute(insert(table), [row])
    yield database, written
    database.close()


def as_read(database, table):
    with database.write() as connection:
        return dict(connection.execute(select(table)).mappings().one())


def test_what_is_read_is_what_was_written(stored):
    database, written = stored
    for table, row in written.items():
        assert as_read(database, table) | row == as_read(database, table)
    with database.write() as connection:
        sizes = connection.execute(text("SELECT length(contributions) FROM scores")).scalar_one()
    assert sizes == 5 + 48 + 126 * 8


def test_a_row_in_the_form_of_older_releases_is_read(stored):
    database, written = stored
    for table, names in (
        (people, ("feature_values", "feature_days", "behind")),
        (scores, ("contributions", "reasons")),
        (timelines, ("events",)),
    ):
        plain_values = {
            name: json.dumps(written[table][name]) if isinstance(table.c[name].type, LongJSON) else written[table][name]
            for name in names
        }
        setting = ", ".join(f"{name} = :{name}" for name in names)
        with database.write() as connection:
            connection.execute(text(f"UPDATE {table.name} SET {setting}"), plain_values)
        assert as_read(database, table) | written[table] == as_read(database, table)


def as_older_releases_wrote_it(home):
    """Every packed value of the home's database as it was stored before; returns how many there were."""
    numbers = {"people": ("feature_values", "feature_days"), "scores": ("contributions",)}
    words = {"people": ("behind", "what_if"), "scores": ("reasons",), "timelines": ("events",)}
    changed = 0
    with closing(sqlite3.connect(home / "service.db")) as connection, connection:
        for table, apart in KEPT_APART.items():  # before 0024 each row held its own
            for name in (column.name for column in apart.columns if column.name in EMPTY):
                one = f"(SELECT {name} FROM {apart.name} e WHERE e.explanation_id = t.explanation_id)"
                connection.execute(f"UPDATE {table.name} AS t SET {name} = {one}")
            connection.execute(f"UPDATE {table.name} SET explanation_id = NULL")
            connection.execute(f"DELETE FROM {apart.name}")
        connection.create_function("plain", 1, lambda value: value if value is None else plain(value))
        connection.create_function("plain_text", 1, plain_text)
        for function, columns in (("plain", numbers), ("plain_text", words)):
            for table, names in columns.items():
                for name in names:
                    before = f"SELECT {name} FROM {table}"
                    found = connection.execute(before).fetchall()
                    connection.execute(f"UPDATE {table} SET {name} = {function}({name})")
                    changed += sum(a != b for a, b in zip(found, connection.execute(before), strict=True))
    return changed


ASKED = ("/v1/patients/{}", "/v1/teams/north/worklist", "/fhir/RiskAssessment?subject=Patient/{}")


def answers(home, start):
    """What two people's pages and calls, the list and the monitoring see."""
    headers = bearer(issue_token(home, "cmht_system", ["north"], "reader"))
    with start(home) as client:
        found = [client.get(path.format(one), headers=headers) for path in ASKED for one in ("N02", "N03")]
        with client.app.state.service.database.read() as connection:
            inputs = operations.inputs(connection, 0)
        sign_in(client, "pharmacist:north")
        found += [client.get(f"/patients/{one}") for one in ("N02", "N03")]
    assert [answer.status_code for answer in found] == [200] * len(found)
    return [answer.content for answer in found[:-2]], [words(answer) for answer in found[-2:]], inputs.tobytes()


def words(page):
    """A page without what differs each time it is shown: keys of forms and the nonce of its scripts."""
    return re.sub(r'(nonce|value)="[^"]*"', "", page.text)


def test_an_older_database_opens_and_answers_the_same_bytes(home, start):
    def exported():
        held = export_person(home, "N03")["held"]
        rows = {name: rows for name, rows in held.items() if name not in ("audit_events", "exposures")}
        for table, apart in KEPT_APART.items():
            own = {one["explanation_id"]: one for one in rows.pop(apart.name, [])}
            rows[table.name] = [
                row | own.get(row["explanation_id"], {}) | {"explanation_id": None} for row in rows[table.name]
            ]
        return rows

    answers(home, start)  # the first sign-in makes the pharmacist known to the pages
    now, copy = answers(home, start), exported()
    assert as_older_releases_wrote_it(home) > 50
    assert answers(home, start) == now and exported() == copy
