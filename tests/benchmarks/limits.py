"""100 clients without a token send the worst bodies for two minutes, beside 20 pharmacists, to a service that may ask
the system for 1 GiB of address space.

``make bench ONLY=limits`` runs it; ``python -m tests.benchmarks.limits --seconds 10`` to see that it works. The
attackers are one process of their own with a lower priority, because in life they are other machines. Each has an
address of its own, by ``X-Forwarded-For`` as the proxy sets it, so that no limit for one address stops them all.
A second attack follows the first. ``ok``: no answer of 500 or above for a pharmacist, p95 under half a second, and
memory back to within 10% of before within a minute of each attack.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import functools
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from tests.benchmarks.measure import line
from tests.conftest import ROOT
from tests.faults.postgres import cluster
from tests.faults.processes import served
from tests.serving import world

ADDRESS_SPACE = 1 << 30
ATTACKERS, PHARMACISTS, SECONDS, ATTACKS = 100, 20, 120.0, 2
THINKING_S = (0.5, 2.0)
P95_S, BACK = 0.5, 1.1
PART = 65_536


def _head(target: str, *lines: str) -> bytes:
    return "\r\n".join((target, "Host: 127.0.0.1", "Content-Type: application/json", *lines, "", "")).encode()


def _nested() -> str:
    """A token whose header is deeply nested JSON (F12)."""
    return base64.urlsafe_b64encode(b'{"a":' * 5_000).decode().rstrip("=")[:9_000] + ".e30.e30"


@functools.cache
def worst() -> list[tuple[bytes, bytes, int]]:
    """Head, part and number of parts of each body: malformed, without an end, zipped, deep, slow to read, forged."""
    zipped = gzip.compress(bytes(60_000_000))
    people = b'{"patient_id":"a","tables":{"supplies":[]}},' * (PART // 44)
    score, anybody = "POST /v1/scores HTTP/1.1", "Authorization: Bearer x"
    whole, chunked = "Content-Length: 30000000", "Transfer-Encoding: chunked"
    view = "POST /cds-services/upstream-patient-view HTTP/1.1"
    return [
        (_head(score, whole), people, 458),
        (_head(score, chunked), _chunk(people), 600),
        (_head(score, anybody, whole), people, 458),
        (_head(score, anybody, chunked), _chunk(b"[" * PART), 600),
        (_head("POST /v1/scores/stream HTTP/1.1", chunked), _chunk(b"a" * PART), 600),
        (_head(score, "Content-Encoding: gzip", f"Content-Length: {len(zipped)}"), zipped, 1),
        (_head(score, f"Authorization: Bearer {_nested()}", "Content-Length: 2"), b"{}", 1),
        (_head("POST /sign-in HTTP/1.1", "Content-Length: 60000"), b"choice=" + b"%25" * 19_997 + b"aa", 1),
        (_head("GET /teams/north HTTP/1.1", "Cookie: upstream_session=" + "x" * 9_000), b"", 0),
        (_head(view, "Authorization: Bearer a.b.c", "Content-Length: 1900000"), people, 29),
    ]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def attacker(number: int, host: str, port: int, ends: float, seen: Counter[str]) -> None:
    """Sends one bad request after another, at least one, each on a connection of its own, until it is answered or cut
    off."""
    bodies = worst()
    own = f"X-Forwarded-For: 10.1.{number // 250}.{number % 250 + 1}\r\n\r\n".encode()
    chance, first = random.Random(number), True
    while first or time.monotonic() < ends:
        first = False
        head, part, parts = chance.choice(bodies)
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            seen["no connection"] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            writer.write(head[:-2] + own)
            for _ in range(parts):
                writer.write(part)
                await asyncio.wait_for(writer.drain(), 30)
                if time.monotonic() > ends or reader.at_eof():
                    break
            answer = await asyncio.wait_for(reader.read(64), 30)
            seen[answer[9:12].decode("ascii", "replace") or "cut off"] += 1
        except (OSError, TimeoutError):
            seen["cut off"] += 1
        finally:
            writer.close()


async def attack(address: str, seconds: float) -> Counter[str]:
    parts, seen = urlsplit(address), Counter[str]()
    ends = time.monotonic() + seconds
    await asyncio.gather(
        *(attacker(n, str(parts.hostname), int(parts.port or 80), ends, seen) for n in range(ATTACKERS))
    )
    return seen


async def pharmacist(address: str, token: str, number: int, ends: float) -> AsyncIterator[tuple[float, int]]:
    """Seconds and status of each request for the list and for the people on it."""
    chance = random.Random(number)
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": f"10.2.0.{number + 1}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, verify=False) as client:
        await asyncio.sleep(chance.uniform(0, THINKING_S[0]))
        first = True
        while first or time.monotonic() < ends:
            first = False
            for path in ("/v1/teams/north/worklist", f"/v1/patients/N{chance.randrange(8):02d}"):
                began = time.perf_counter()
                try:
                    status = (await client.get(path)).status_code
                except httpx.HTTPError:
                    status = 599
                yield time.perf_counter() - began, status
                await asyncio.sleep(chance.uniform(*THINKING_S))


async def mornings(address: str, tokens: list[str], seconds: float) -> list[tuple[float, int]]:
    ends, found = time.monotonic() + seconds, []

    async def one(number: int, token: str) -> None:
        async for answer in pharmacist(address, token, number, ends):
            found.append(answer)

    await asyncio.gather(*(one(number, token) for number, token in enumerate(tokens)))
    return found


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def address_space_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmPeak:")[1].split()[0]) / 1024


def settled(pid: int, most: float, seconds: float = 60.0) -> float:
    """Memory once it is at most ``most`` MB, or after a minute."""
    ends = time.monotonic() + seconds
    while (now := resident_mb(pid)) > most and time.monotonic() < ends:
        time.sleep(0.5)
    return now


@contextmanager
def database_of(home: Path, postgres: bool) -> Iterator[tuple[str | Path, dict[str, str]]]:
    """Where the tokens go, and the settings by which the service finds it: the SQLite of the home, or a PostgreSQL of
    our own that holds the same list."""
    if not postgres:
        yield home, {}
        return
    with cluster() as server:
        score_store(home / "store", home / "bundles", server.url, world.AS_OF, threads=1)
        yield server.url, {"UPSTREAM_DATABASE_URL": server.url}


def beside(address: str, tokens: list[str], seconds: float) -> tuple[list[tuple[float, int]], dict[str, int]]:
    """Pharmacists' seconds and statuses while attackers, who are a process of their own, do their worst; and what the
    attackers were answered. Pharmacists begin when the attackers are ready, however long that takes."""
    words = [sys.executable, "-m", "tests.benchmarks.limits", "--attack", address, "--seconds", str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as attackers:
        assert attackers.stdout is not None
        attackers.stdout.readline()
        found = asyncio.run(mornings(address, tokens, seconds))
        return found, json.loads(attackers.stdout.read())


def run(
    seconds: float = SECONDS,
    address_space: int = ADDRESS_SPACE,
    home: Path | None = None,
    attacks: int = ATTACKS,
    postgres: bool = False,
) -> dict[str, Any]:
    """``attacks`` of ``seconds`` each, one after the other; memory has to come back after each."""
    settings = {"UPSTREAM_BEHIND_PROXY": "true", "UPSTREAM_ENVIRONMENT": "production", "OMP_NUM_THREADS": "1"}
    answers: list[tuple[float, int]] = []
    attacked, after = Counter[str](), []
    with tempfile.TemporaryDirectory() as folder:
        home = home or world.make_home(Path(folder) / "home")
        with database_of(home, postgres) as (where, found):
            tokens = [issue_token(where, "pharmacist", ["north"], f"limits {n}") for n in range(PHARMACISTS)]
            with served(home, address_space, **settings, **found) as (address, process):
                asyncio.run(mornings(address, tokens, min(10.0, seconds)))  # what the first requests load stays
                worst()  # made before the clock runs
                asyncio.run(attack(address, 1.0))
                before = resident_mb(process.pid)
                for _ in range(attacks):
                    of_pharmacists, of_attackers = beside(address, tokens, seconds)
                    answers += of_pharmacists
                    attacked.update(of_attackers)
                    after.append(round(settled(process.pid, before * BACK)))
                asked = address_space_mb(process.pid)
                process.terminate()
                ended = process.wait(timeout=60)
    taken = [one for one, _ in answers]
    wrong = Counter(str(status) for _, status in answers if status >= 500)
    made = line("limits", float(np.percentile(taken, 95)), "s, p95 of 20 pharmacists beside 100 attackers", P95_S)
    held = not wrong and max(after) <= before * BACK and ended == 0
    return made | {
        "ok": bool(made["ok"] and held),
        "held": held,
        "database": "postgresql" if postgres else "sqlite",
        "seconds": seconds,
        "answers": len(answers),
        "wrong": dict(wrong),
        "p99": round(float(np.percentile(taken, 99)), 3),
        "attacks": dict(attacked),
        "memory_mb": {
            "before": round(before),
            "a_minute_after": after[0],
            "a_minute_after_each": after,
            "address_space": round(asked),
        },
        "address_space_limit_mb": address_space >> 20,
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=SECONDS)
    words.add_argument("--address-space", type=int, default=ADDRESS_SPACE >> 20, help="MiB; 0 for no limit")
    words.add_argument("--attacks", type=int, default=ATTACKS, help="how many, one after the other")
    words.add_argument("--postgres", action="store_true", help="on a PostgreSQL of its own, instead of SQLite")
    words.add_argument("--attack", default="", help="only attack the service at this address")
    given = words.parse_args()
    if given.attack:
        os.nice(10)
        worst()
        print("ready", flush=True)
        found: dict[str, Any] = dict(asyncio.run(attack(given.attack, given.seconds)))
    else:
        found = run(given.seconds, given.address_space << 20, None, given.attacks, given.postgres)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
