"""A working day at once: 50 pharmacists read and review, two nightly runs publish, a system scores 500 people a minute,
a records system asks for cards 20 times a second, and people answer texts. All on this machine, with PostgreSQL.

``make bench ONLY=load`` runs it for ten minutes, ``python -m tests.benchmarks.load --minutes 30`` for thirty, and
``--keep docs/measured/bench.jsonl`` writes the line where ``docs/generate.py`` reads it. Without
PostgreSQL's programs, or with ``--sqlite``, the database is SQLite. ``--home`` copies the home of a demo instead of
making one of ``--patients`` people. The service is a process of its own on 127.0.0.1. The line holds the errors
(floor 0), p50 and p99 in seconds of each kind of request, and the service's memory, which has to be flat. Hooks and
texts are sent when their time has come, whether or not those before were answered, and count from then.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import select

from serving.messages.fake.demo import SETTING, invent_numbers, phones_beside_the_demo
from serving.security.tokens import issue_token
from serving.settings import database_url_of
from serving.storage.database import Database
from serving.storage.tables import people
from tests.benchmarks.measure import line, processor_s
from tests.conftest import ROOT, upstream
from tests.faults.postgres import PROGRAMS, cluster
from tests.faults.processes import served
from tests.serving.cds import clients
from tests.serving.cds.conftest import VIEW

PATIENTS, PHARMACISTS, MINUTES = 2_000, 50, 10
SCORED_A_MINUTE, SCORED_AT_ONCE = 500, 25
HOOKS_A_SECOND, TEXTS_A_SECOND = 20, 1
NIGHTS = (0.15, 0.55)
"""When the nightly runs begin, as parts of the whole."""
THINKING_S = (2.0, 8.0)
"""A pharmacist reads for a few seconds before the next page."""
SERVER = "UPSTREAM_LOAD_SERVER"
"""Process id of the database, for the time that it used."""
FLAT, LIST_P99_S = 1.15, 0.6
"""Memory is flat if the last fifth of the run holds at most this much of the second fifth; the floor of a list's p99
during nightly runs, in seconds."""


@dataclass
class Seen:
    """Seconds of each answered request by kind, and every answer that was not a good one."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    at_night: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of the requests that were answered while a nightly run was under way."""
    night: bool = False
    nightly_runs: int = 0
    processor_s: dict[str, float] = field(default_factory=dict)

    async def ask(
        self, client: httpx.AsyncClient, kind: str, method: str, path: str, *, due: float | None = None, **how: Any
    ) -> Any:
        began = time.perf_counter() if due is None else due
        try:
            answer = await client.request(method, path, **how)
        except httpx.HTTPError as error:
            self.wrong.append(f"{kind}: {type(error).__name__}")
            return None
        taken = time.perf_counter() - began
        self.seconds.setdefault(kind, []).append(taken)
        if self.night:
            self.at_night.setdefault(kind, []).append(taken)
        if not answer.is_success:
            self.wrong.append(f"{kind}: {answer.status_code}")
            return None
        return answer.json() if answer.content else None

    def percentile(self, kind: str, q: float) -> float:
        """Infinite where nothing of the kind was answered at all: that is not fast."""
        found = self.seconds.get(kind)
        return round(float(np.percentile(found, q)), 4) if found else float("inf")


# ``verify=False`` below: the service speaks http, and fifty clients that each read the certificates of the web take as
# long as a short run.
async def pharmacist(seen: Seen, address: str, token: str, team: str, ends: float, chance: random.Random) -> None:
    """Opens the list, reads people on it, and records a review of every third."""
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60, verify=False
    ) as client:
        await asyncio.sleep(chance.uniform(0, THINKING_S[1]))
        while time.monotonic() < ends:
            found = await seen.ask(client, "worklist", "GET", f"/v1/teams/{team}/worklist")
            for item in chance.sample(found["items"], min(3, len(found["items"]))) if found else []:
                await asyncio.sleep(chance.uniform(*THINKING_S))
                if time.monotonic() > ends:
                    return
                await seen.ask(client, "person", "GET", f"/v1/patients/{item['patient_id']}")
                if chance.random() < 1 / 3:
                    await review(seen, client, item["patient_id"])


async def review(seen: Seen, client: httpx.AsyncClient, person: str) -> None:
    done = {"medicines_reconciled": True, "allergies_up_to_date": True, "side_effects_assessed": True}
    body = {"actions": ["monitoring_arranged"], "listing_was": "useful", **done}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    await seen.ask(client, "review", "POST", f"/v1/patients/{person}/reviews", json=body, headers=headers)


async def system(seen: Seen, address: str, token: str, ends: float) -> None:
    """Scores ``SCORED_A_MINUTE`` people a minute, evenly."""
    supplies = [
        {
            "medicine": "olanzapine",
            "kind": "dispensed",
            "route": "oral",
            "supplied_on": f"2025-{month:02d}-03",
            "days_supplied": 28.0,
        }
        for month in range(1, 13)
    ]
    sent = [{"patient_id": f"S{n}", "tables": {"supplies": supplies}} for n in range(SCORED_AT_ONCE)]
    every = 60 * SCORED_AT_ONCE / SCORED_A_MINUTE
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60, verify=False
    ) as client:
        turn = time.monotonic()
        while turn < ends:
            await seen.ask(client, "score", "POST", "/v1/scores", json={"people": sent})
            turn += every
            await asyncio.sleep(max(0.0, turn - time.monotonic()))


async def nightly(seen: Seen, home: Path, days: list[str], seconds: float, ends: float) -> None:
    """Nightly runs for a later day each, so that lists are published in the middle of it all. A run that has begun is
    waited for."""
    began = ends - seconds
    for part, day in zip(NIGHTS, days, strict=False):
        await asyncio.sleep(max(0.0, began + part * seconds - time.monotonic()))
        words = [sys.executable, "upstream.py", "score", "--home", str(home), "--as-of", day, "--json"]
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=subprocess.DEVNULL)
        seen.night = True
        if await process.wait():
            seen.wrong.append("nightly: failed")
        seen.night = False
        seen.nightly_runs += 1


async def steadily(a_second: float, ends: float, one: Callable[[int, float], Awaitable[None]]) -> None:
    """Starts ``one`` (with its number, and the moment when it was due) so often, however long each takes."""
    under_way: set[asyncio.Task[None]] = set()
    began, number = time.perf_counter(), 0
    while time.monotonic() < ends:
        due = began + number / a_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.ensure_future(one(number, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        number += 1
    await asyncio.gather(*under_way)


async def hooks(seen: Seen, address: str, listed: list[str], ends: float) -> None:
    """A records system opens one person after another, each call with a token of its own."""
    async with httpx.AsyncClient(base_url=address, timeout=60, verify=False) as client:

        async def one(number: int, due: float) -> None:
            headers = {"Authorization": f"Bearer {clients.token(VIEW, aud=address + VIEW)}"}
            body = clients.hook("patient-view", listed[number % len(listed)])
            await seen.ask(client, "hook", "POST", VIEW, due=due, json=body, headers=headers)

        await steadily(HOOKS_A_SECOND, ends, one)


async def texts(seen: Seen, address: str, token: str, ends: float) -> None:
    """People answer texts, and the provider hands each answer on."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, verify=False) as client:

        async def one(number: int, due: float) -> None:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            source = f"447700900{number % 900 + 4:03d}"
            body = {"id": f"load-{number}", "source_number": source, "message": "1", "date_received": now}
            await seen.ask(client, "text", "POST", "/messages/replies", due=due, json=body)

        await steadily(TEXTS_A_SECOND, ends, one)


async def memory(seen: Seen, pid: int, ends: float) -> None:
    while time.monotonic() < ends:
        held = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]
        seen.memory_mb.append(int(held) / 1024)
        await asyncio.sleep(1)


async def day(home: Path, address: str, pid: int, seconds: float, texting: str) -> Seen:
    seen = Seen()
    where = database_url_of(home)
    wide = issue_token(where, "cmht_system", None, "load")
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {wide}"}, timeout=60, verify=False
    ) as client:
        found = (await client.get("/v1/teams", params={"limit": 100})).json()
    teams = [team["team_id"] for team in found["items"]]
    newest = np.datetime64(found["run"]["as_of"])
    # A later day each night, as in life: on an earlier one somebody on the list just read may not be on the caseload
    # yet.
    days = [str(newest + ahead) for ahead in range(1, 40)]
    database = Database(where)
    tokens = [
        issue_token(database, "pharmacist", [teams[number % len(teams)]], f"load {number}")
        for number in range(PHARMACISTS)
    ]
    with database.write() as connection:  # our own look: every team
        listed = list(connection.scalars(select(people.c.patient_id).distinct().order_by(people.c.patient_id)))
    database.close()
    # Only now: making fifty tokens takes longer than a short run has.
    ends = time.monotonic() + seconds
    before = spent(pid)
    work = [memory(seen, pid, ends), system(seen, address, wide, ends), nightly(seen, home, days, seconds, ends)]
    work += [hooks(seen, address, listed, ends), texts(seen, address, texting, ends)]
    for number, token in enumerate(tokens):
        work.append(pharmacist(seen, address, token, teams[number % len(teams)], ends, random.Random(number)))
    await asyncio.gather(*work)
    seen.processor_s = {who: round(seconds - before[who], 1) for who, seconds in spent(pid).items()}
    return seen


def spent(pid: int) -> dict[str, float]:
    """Seconds of processor time so far of each that shares this machine: the service, the database, the nightly runs,
    and the clients, who in life are other machines."""
    nights = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"service": processor_s(pid), "nightly": nights.ru_utime + nights.ru_stime, "clients": time.process_time()}
    server = os.environ.get(SERVER)
    return found | ({"database": processor_s(int(server))} if server else {})


@contextmanager
def settings_of_the_day(folder: Path, sqlite: bool) -> Iterator[str]:
    """Environment of every process of the day; gives the token of the provider of texts."""
    before = dict(os.environ)
    with phones_beside_the_demo() as phones:
        assert phones is not None and SETTING in os.environ, "the client of GOV.UK Notify is not installed"
        os.environ["UPSTREAM_CDS"] = json.dumps([clients.settings(folder, teams="all")])
        os.environ.update(UPSTREAM_ENVIRONMENT="demo", UPSTREAM_SYSTEM_RATE_PER_MINUTE="100000", OMP_NUM_THREADS="1")
        try:
            if sqlite:
                yield phones.token
                return
            with cluster() as server:
                os.environ.update({"UPSTREAM_DATABASE_URL": server.url, SERVER: str(server.pid)})
                yield phones.token
        finally:
            os.environ.clear()
            os.environ.update(before)


def run(
    seconds: float = 60.0 * MINUTES, patients: int = PATIENTS, made: Path | None = None, sqlite: bool = not PROGRAMS
) -> dict[str, Any]:
    """``made``: the home of a demo to copy, instead of one that is made first."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if made is not None:
            shutil.copytree(made, home)
        else:
            upstream("demo", "--no-serve", "--patients", str(patients), "--home", str(home))
        with settings_of_the_day(Path(folder), sqlite) as texting:
            upstream("score", "--home", str(home), "--json")
            invent_numbers(home)
            with served(home) as (address, process):
                seen = asyncio.run(day(home, address, process.pid, seconds, texting))
                process.terminate()
                ended = process.wait(timeout=60)
        shutil.rmtree(home)
    asked = sum(map(len, seen.seconds.values()))
    fifth = max(1, len(seen.memory_mb) // 5)
    early, late = np.mean(seen.memory_mb[fifth : 2 * fifth] or seen.memory_mb), np.mean(seen.memory_mb[-fifth:])
    found = line(
        "load",
        len(seen.wrong),
        "errors",
        0.0,
        seconds=seconds,
        database="sqlite" if sqlite else "postgresql",
        patients=patients if made is None else None,
        pharmacists=PHARMACISTS,
        requests=asked,
        wrong=dict(Counter(seen.wrong).most_common(10)),
        p50={kind: seen.percentile(kind, 50) for kind in seen.seconds},
        p99={kind: seen.percentile(kind, 99) for kind in seen.seconds},
        p99_during_nightly_runs={
            kind: round(float(np.percentile(all_of, 99)), 4) for kind, all_of in seen.at_night.items()
        },
        scored_a_minute=round(len(seen.seconds.get("score", [])) * SCORED_AT_ONCE * 60 / seconds),
        asked={kind: len(found) for kind, found in seen.seconds.items()},
        nightly_runs=seen.nightly_runs,
        processor_s=seen.processor_s,
        memory_mb={"early": round(early), "late": round(late), "most": round(max(seen.memory_mb))},
        exit_code=ended,
    )
    slow = found["p99_during_nightly_runs"].get("worklist", 0.0) > LIST_P99_S
    return found | {"ok": bool(found["ok"] and late <= early * FLAT and ended == 0 and not slow)}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--minutes", type=float, default=MINUTES)
    words.add_argument("--patients", type=int, default=PATIENTS)
    words.add_argument("--home", type=Path, help="the home of a demo to copy, instead of making one")
    words.add_argument("--sqlite", action="store_true", default=not PROGRAMS)
    words.add_argument("--keep", type=Path, help="file of lines in which this line takes the place of the one before")
    given = words.parse_args()
    found = run(60 * given.minutes, given.patients, given.home, given.sqlite)
    if given.keep is not None:
        kept(given.keep, found)
    sys.stdout.write(json.dumps(found) + "\n")


def kept(file: Path, found: dict[str, Any]) -> None:
    """Writes a line in the place of the one of the same name, or at the end."""
    lines = file.read_text(encoding="utf-8").splitlines()
    places = [place for place, row in enumerate(lines) if json.loads(row)["name"] == found["name"]]
    place = places[0] if places else len(lines)
    lines[place : place + 1] = [json.dumps(found)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
