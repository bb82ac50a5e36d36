"""STOP in every interleaving that Hypothesis finds: after it is stored, nothing goes to that number until START."""

from __future__ import annotations

import atexit
import datetime as dt
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from serving.messages.incoming.inbound import store_reply
from serving.messages.incoming.reaching_out import deal_with_waiting
from serving.messages.sending import send_text, send_texts
from serving.settings import database_url_of
from serving.storage import migrations
from serving.storage.database import Database
from serving.storage.tables import people, publications, run_teams, runs
from tests.serving.messages.desks import NOON, NUMBERS, SAM, arrive, audit_of, desk_over, reply

WHO = ("N03", "N04")
MACHINES, STEPS = int(os.environ.get("UPSTREAM_STOP_MACHINES") or 10), 12
"""Ten machines of up to twelve steps: about a hundred interleavings. A thousand machines, before a release:
``UPSTREAM_STOP_MACHINES=1000 pytest tests/serving/messages/test_stop.py --timeout=3000``."""


def small_trust(folder: Path) -> Database:
    """A database with a published list of two people, and nothing else."""
    with migrations.opened(folder):
        pass
    database = Database(database_url_of(folder))
    fill_small_trust(database)
    return database


def fill_small_trust(database: Database) -> None:
    """One published run with a team of two people."""
    run = {name: "x" for name in ("run_id", "bundle_id", "model_version", "data_hash", "data_source")}
    run |= {"synthetic": True, "as_of": NOON.date(), "started_at": NOON, "finished_at": NOON}
    with database.write() as connection:
        connection.execute(runs.insert(), {**run, "features": [], "summary": {}})
        connection.execute(publications.insert(), {"run_id": "x", "published_at": NOON})
        connection.execute(run_teams.insert(), {"run_id": "x", "team_id": "north", "name": "North"})
        for who in WHO:
            row = {"run_id": "x", "patient_id": who, "team_id": "north", "flags": {}, "feature_values": b""}
            connection.execute(people.insert(), row)


IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A thousand small databases are written faster where no disk waits."""


@cache
def empty_trust() -> Path:
    """The file of a small trust, which each machine copies."""
    folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    small_trust(folder).close()
    return folder / "service.db"


class Stops(RuleBasedStateMachine):
    """Sends, replies and batches in any order, with replies that arrive twice and late. ``out`` is the model."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        shutil.copy(empty_trust(), Path(self.folder.name) / "service.db")
        self.database = Database(database_url_of(Path(self.folder.name)))
        self.desk = desk_over(self.database, {who: NUMBERS[who] for who in WHO})
        self.out: dict[str, bool] = dict.fromkeys(WHO, False)
        self.count, self.sent = 0, 0
        self.kept: list[dict[str, str]] = []

    def teardown(self):
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    def came(self, who, words):
        self.count += 1
        self.desk.now.at += dt.timedelta(seconds=1)
        one = reply(NUMBERS[who], words, f"r{self.count}", self.desk.now.at)
        self.kept.append(one)
        return one

    def check(self, before):
        """People who were out before a step get nothing in it, not even the automatic answer."""
        fresh = {number.lstrip("+") for number, _ in self.desk.messenger.sent[self.sent :]}
        self.sent = len(self.desk.messenger.sent)
        assert not [who for who in WHO if before[who] and NUMBERS[who].lstrip("+") in fresh]

    @rule(who=st.sampled_from(WHO), words=st.sampled_from(["STOP", "stop please", "don't text me"]), read=st.booleans())
    def stop(self, who, words, read):
        before = dict(self.out)
        (arrive if read else store_reply)(self.desk, self.came(who, words))
        self.out[who] = True
        self.check({**before, who: True})

    @rule(who=st.sampled_from(WHO))
    def start(self, who):
        store_reply(self.desk, self.came(who, "START"))
        self.out[who] = False

    @rule(who=st.sampled_from(WHO), words=st.sampled_from(["1", "hello", "I can't cope"]))
    def words(self, who, words):
        before = dict(self.out)
        arrive(self.desk, self.came(who, words))
        self.check(before)

    @rule(who=st.sampled_from(WHO), hours=st.sampled_from([0, 13]))
    def send(self, who, hours):
        self.count += 1
        send_text(self.desk, SAM, audit_of(self.database), who, "invite", f"k{self.count}")
        self.check(self.out)

    @rule(stops=st.sampled_from(WHO))
    def batch_with_a_stop_in_the_middle(self, stops):
        """The STOP arrives while the provider takes the first text of the batch."""
        self.count += 1
        carry, before = self.desk.messenger.send, dict(self.out)
        first = next(who for who in WHO if who != stops)

        def carried(number, template, reference):
            if number == NUMBERS[first] and not self.out[stops]:
                store_reply(self.desk, self.came(stops, "STOP"))
                self.out[stops] = True
            return carry(number, template, reference)

        self.desk.messenger.send = carried
        send_texts(self.desk, SAM, audit_of(self.database), [first, stops], "invite", f"k{self.count}")
        self.desk.messenger.send = carry
        self.check({**before, stops: before[stops] or self.out[stops]})

    @rule(place=st.integers(0, 99))
    def an_old_reply_comes_again(self, place):
        if self.kept:
            store_reply(self.desk, self.kept[place % len(self.kept)])
            deal_with_waiting(self.desk)
            self.check(self.out)


@pytest.mark.slow
def test_stop_is_honoured_in_every_interleaving():
    run_state_machine_as_test(
        Stops,
        settings=settings(
            max_examples=MACHINES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
