"""A team of 500 people as a list, as a register, and searched by name: a line each, p95 of the whole page.

The list has all of them on one page, with six lists behind each; all of them take clozapine, so its register has 500
rows.

The service is a process of its own on 127.0.0.1 with one pharmacist signed in, so the time is what a browser on the
same machine waits for the first byte to the last. The list is cut, then whole, so that filters are in it. The model is
the tiny one of the tests over the real catalogue: what a page reads of a score does not depend on who made it.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from features import Records
from features.engine.caseload import caseload
from features.records import date_of, day_of
from models.publishing import publish
from serving.identities.invented import invented
from serving.identities.keys import IdentityKeys, write_new_key
from serving.identities.loading import store_identities
from serving.nightly.run import latest_as_of, score_store
from serving.security.tokens import issue_token
from serving.settings import IDENTITY_KEY
from tests.benchmarks.measure import line, simulated_store
from tests.faults.processes import served
from tests.serving import world

PEOPLE, LISTS, TIMES = 500, 6, 40
FLOORS_S = {"list": 0.15, "register": 0.15, "search": 0.05}
TEAM = "T01"


def one_team(records: Records, as_of: dt.date) -> Records:
    """Exactly ``PEOPLE`` people, all of one team."""
    ids = caseload(records, day_of(as_of)).spine["patient_id"].tolist()[:PEOPLE]
    frames = {name: records[name] for name in records.tables}
    frames = {
        name: frame[frame["patient_id"].isin(ids)] if "patient_id" in frame else frame for name, frame in frames.items()
    }
    frames["referrals"] = frames["referrals"].assign(team_id=TEAM)
    frames["supplies"] = pd.concat([frames["supplies"], _clozapine(ids, as_of)], ignore_index=True)
    return Records.from_frames(frames, about={"synthetic": True, "source": "simulated, one team"})


def _clozapine(people: list[str], as_of: dt.date) -> pd.DataFrame:
    """A year of supplies for everybody, so that the register of every list holds them all."""
    row = {"medicine": "clozapine", "route": "oral", "kind": "dispensed", "days_supplied": 28.0, "daily_dose_mg": 300.0}
    days = [pd.Timestamp(as_of - dt.timedelta(days=10 + 28 * before)) for before in range(13)]
    return pd.DataFrame([row | {"patient_id": one, "supplied_on": on, "known_on": on} for one in people for on in days])


def run() -> list[dict[str, Any]]:
    whole = Records.load(simulated_store(1_000, 4))
    newest = latest_as_of(whole)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        records = one_team(whole, newest)
        records.save(home / "store")
        publish(home / "bundles", world.write_tiny_bundle(home / "made", records))
        for week in reversed(range(LISTS + 1)):
            score_store(home / "store", home / "bundles", home, newest - dt.timedelta(days=7 * week), threads=2)
        write_new_key(home / IDENTITY_KEY)
        born = [date_of(day) for day in records.columns("patients")["birth_date"].tolist()]
        names = invented(zip(records.patient_ids.tolist(), born, strict=True))
        store_identities(home, names, IdentityKeys.read(home / IDENTITY_KEY))
        secret = issue_token(home, "pharmacist", [TEAM], "bench", kind="session")
        with served(home, OMP_NUM_THREADS="1", UPSTREAM_IDENTITY_KEY_FILE=str(home / IDENTITY_KEY)) as (address, _):
            client = httpx.Client(base_url=address, cookies={"upstream_session": secret}, timeout=60)
            seconds = {
                name: _time(client, f"/teams/{TEAM}?{query}")
                for name, query in (
                    ("500 on one page", "limit=500"),
                    ("first 50", "limit=50"),
                    ("cut to never reviewed", "limit=500&reviewed=never&ranking=gaps"),
                    ("sorted by name", "limit=500&sort=name"),
                )
            }
            seconds |= {
                "register of 500": _time(client, "/registers/clozapine"),
                "register of interactions": _time(client, "/registers/interactions"),
                "next 14 days": _time(client, "/this-week?days=14"),
                "search by name": _search(client, "sam"),
            }
            shown = {
                "list": client.get(f"/teams/{TEAM}?limit=500").text.count('class="up-row"'),
                "register": client.get("/registers/clozapine").text.count('class="up-row"'),
                "search": PEOPLE,
            }
    timed = {"list": "500 on one page", "register": "register of 500", "search": "search by name"}
    found = []
    for name, what in timed.items():
        unit = f"s, p95 of the {name}"
        one = line(f"worklist-{name}", seconds[what]["p95"], unit, FLOORS_S[name], people=shown[name])
        found.append(one | {"ok": one["ok"] and shown[name] == PEOPLE})
    found[0] |= {"seconds": seconds}
    return found


def _search(client: httpx.Client, text: str) -> dict[str, float]:
    """The answer of a search, to which the form goes: what is typed is posted once."""
    proof = client.get("/find").text.partition('name="proof" value="')[2].partition('"')[0]
    sent = client.post("/find", data={"proof": proof, "sought": text})
    return _time(client, sent.headers["location"])


def _time(client: httpx.Client, path: str) -> dict[str, float]:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        taken.append(time.perf_counter() - began)
    return {name: round(float(np.percentile(taken[2:], q)), 4) for name, q in (("p50", 50), ("p95", 95))}
