"""Replies at ten a second: seconds from sending one until the team's page shows it, over HTTP, with the imitation of
GOV.UK Notify beside the service."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from serving.identities.keys import IdentityKeys, write_new_key
from serving.messages.fake.demo import SETTING, phones_beside_the_demo
from serving.messages.numbers.loading import store_numbers
from serving.settings import IDENTITY_KEY
from tests.benchmarks.measure import line
from tests.faults.processes import served
from tests.serving import world
from tests.serving.messages.desks import NUMBERS

A_SECOND, REPLIES, FLOOR_S = 10, 150, 60.0
TEAM = "north"


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, phones_beside_the_demo() as phones:
        assert phones is not None, "the client of GOV.UK Notify is not installed (extra [test])"
        home = world.make_home(Path(folder) / "home")
        write_new_key(home / IDENTITY_KEY)
        keys = IdentityKeys.read(home / IDENTITY_KEY)
        store_numbers(home, {who: (number, True) for who, number in NUMBERS.items()}, keys)
        settings = {SETTING: os.environ[SETTING], "UPSTREAM_ENVIRONMENT": "demo"}
        with served(home, OMP_NUM_THREADS="1", UPSTREAM_SYSTEM_RATE_PER_MINUTE="100000", **settings) as (address, _):
            sent, shown = _load(address, {"Authorization": f"Bearer {phones.token}"})
    took = [shown[reply] - at for reply, at in sent.items()]
    found = line("texts", max(took), "s, longest from a reply to the team's page at 10 a second", FLOOR_S)
    return found | {"replies": len(took), "p50": round(float(np.median(took)), 3)}


def _load(address: str, bearer: dict[str, str]) -> tuple[dict[str, float], dict[str, float]]:
    """When each reply was sent, and when a page that was asked for again and again first showed it."""
    sent: dict[str, float] = {}
    shown: dict[str, float] = {}

    def look() -> None:
        with httpx.Client(base_url=address, timeout=60) as browser:
            browser.post("/sign-in", data={"choice": f"pharmacist:{TEAM}"}, headers={"Origin": address})
            ends = time.monotonic() + REPLIES / A_SECOND + FLOOR_S
            while len(shown) < REPLIES and time.monotonic() < ends:
                page = browser.get(f"/teams/{TEAM}/texts").text
                now = time.monotonic()
                for reply in re.findall(r'action="/texts/([^"]+)"', page):
                    shown.setdefault(reply, now)

    looking = threading.Thread(target=look)
    looking.start()
    numbers = [number for who, number in NUMBERS.items() if who.startswith("N")]
    began = time.monotonic()
    with httpx.Client(base_url=address, timeout=60, headers=bearer) as provider:
        for place in range(REPLIES):
            time.sleep(max(0.0, began + place / A_SECOND - time.monotonic()))
            body = {"id": f"r{place:03d}", "source_number": numbers[place % len(numbers)].lstrip("+"), "message": "1"}
            sent[body["id"]] = time.monotonic()
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            provider.post("/messages/replies", json=body | {"date_received": now}).raise_for_status()
    looking.join()
    missing = sent.keys() - shown.keys()
    assert not missing, f"{len(missing)} replies never came to the page"
    return sent, shown
