"""A working day at once: 50 pharmacists read and review, a nightly run publishes, a system scores 500 people a minute,
all on this machine.

``make bench ONLY=load`` runs it for ten minutes; ``python -m tests.benchmarks.load 20`` for twenty seconds, to see
that it works, and with a demo's home after the seconds on a copy of that home. The service is a process of its own on
127.0.0.1. The line holds the errors (floor 0), p50 and p99 in seconds of each kind of request, and the service's
memory, which has to be flat.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from serving.security.tokens import issue_token
from serving.settings import database_url_of
from serving.storage.database import Database
from tests.benchmarks.measure import line
from tests.conftest import ROOT, upstream
from tests.faults.processes import served

PATIENTS, PHARMACISTS, MINUTES = 2_000, 50, 10
SCORED_A_MINUTE, SCORED_AT_ONCE = 500, 25
THINKING_S = (2.0, 8.0)
"""A pharmacist reads for a few seconds before the next page."""
FLAT = 1.15
"""Memory is flat if the last fifth of the run holds at most this much of the second fifth."""


@dataclass
class Seen:
    """Seconds of each answered request by kind, and every answer that was not a good one."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    nightly_runs: int = 0

    async def ask(self, client: httpx.AsyncClient, kind: str, method: str, path: str, **how: Any) -> Any:
        began = time.perf_counter()
        try:
            answer = await client.request(method, path, **how)
        except httpx.HTTPError as error:
            self.wrong.append(f"{kind}: {type(error).__name__}")
            return None
        self.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        if answer.status_code not in (200, 201):
            self.wrong.append(f"{kind}: {answer.status_code}")
            return None
        return answer.json()

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
    people = [{"patient_id": f"S{n}", "tables": {"supplies": supplies}} for n in range(SCORED_AT_ONCE)]
    every = 60 * SCORED_AT_ONCE / SCORED_A_MINUTE
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=60, verify=False
    ) as client:
        turn = time.monotonic()
        while turn < ends:
            await seen.ask(client, "score", "POST", "/v1/scores", json={"people": people})
            turn += every
            await asyncio.sleep(max(0.0, turn - time.monotonic()))


async def nightly(seen: Seen, home: Path, days: list[str], every: float, ends: float) -> None:
    """A nightly run for another day again and again, so that lists are published in the middle of it all."""
    for day in days:
        words = [sys.executable, "upstream.py", "score", "--home", str(home), "--as-of", day, "--json"]
        process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            code = await asyncio.wait_for(process.wait(), max(0.0, ends - time.monotonic()))
        except TimeoutError:
            process.terminate()
            await process.wait()
            return
        if code:
            seen.wrong.append("nightly: failed")
        seen.nightly_runs += 1
        await asyncio.sleep(min(every, max(0.0, ends - time.monotonic())))


async def memory(seen: Seen, pid: int, ends: float) -> None:
    while time.monotonic() < ends:
        held = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]
        seen.memory_mb.append(int(held) / 1024)
        await asyncio.sleep(1)


async def day(home: Path, address: str, pid: int, seconds: float) -> Seen:
    seen = Seen()
    wide = issue_token(home, "cmht_system", None, "load")
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {wide}"}, timeout=60, verify=False
    ) as client:
        found = (await client.get("/v1/teams", params={"limit": 100})).json()
    teams = [team["team_id"] for team in found["items"]]
    newest = np.datetime64(found["run"]["as_of"])
    # A later day each night, as in life: on an earlier one somebody on the list just read may not be on the caseload
    # yet.
    days = [str(newest + ahead) for ahead in range(1, 40)]
    database = Database(database_url_of(home))
    tokens = [
        issue_token(database, "pharmacist", [teams[number % len(teams)]], f"load {number}")
        for number in range(PHARMACISTS)
    ]
    database.close()
    # Only now: making fifty tokens takes longer than a short run has.
    ends = time.monotonic() + seconds
    work = [memory(seen, pid, ends), system(seen, address, wide, ends), nightly(seen, home, days, seconds / 6, ends)]
    for number, token in enumerate(tokens):
        work.append(pharmacist(seen, address, token, teams[number % len(teams)], ends, random.Random(number)))
    await asyncio.gather(*work)
    return seen


def run(seconds: float = 60.0 * MINUTES, patients: int = PATIENTS, made: Path | None = None) -> dict[str, Any]:
    """``made``: the home of a demo to copy, instead of one that is made first."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if made is not None:
            shutil.copytree(made, home)
        else:
            upstream("demo", "--no-serve", "--patients", str(patients), "--home", str(home))
        with served(home, OMP_NUM_THREADS="1") as (address, process):
            seen = asyncio.run(day(home, address, process.pid, seconds))
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
        patients=patients if made is None else None,
        pharmacists=PHARMACISTS,
        requests=asked,
        wrong=sorted(set(seen.wrong))[:10],
        p50={kind: seen.percentile(kind, 50) for kind in seen.seconds},
        p99={kind: seen.percentile(kind, 99) for kind in seen.seconds},
        scored_a_minute=round(len(seen.seconds.get("score", [])) * SCORED_AT_ONCE * 60 / seconds),
        nightly_runs=seen.nightly_runs,
        memory_mb={"early": round(early), "late": round(late), "most": round(max(seen.memory_mb))},
        exit_code=ended,
    )
    return found | {"ok": bool(found["ok"] and late <= early * FLAT and ended == 0)}


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    made = Path(given[2]) if 2 in given else None
    sys.stdout.write(json.dumps(run(float(given.get(1, 20.0)), patients=600, made=made)) + "\n")
