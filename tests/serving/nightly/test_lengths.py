"""An id or a name that PostgreSQL would refuse leaves out one person, and no team's list; SQLite alike."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from features import Records
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from tests.serving.conftest import bearer


def test_a_long_id_or_name_does_not_stop_a_list(home, start, world):
    records = world.records()
    frames = {name: records[name] for name in records.tables}
    long_id = "x" * 250
    frames["teams"] = frames["teams"].assign(name=["North " + "n" * 300, "South\x07 team"])
    referral = frames["referrals"].iloc[:1].assign(patient_id=long_id, referral_id="long")
    frames["referrals"] = pd.concat([frames["referrals"], referral], ignore_index=True)
    frames["patients"] = pd.concat([frames["patients"], pd.DataFrame({"patient_id": [long_id]})], ignore_index=True)
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")
    summary = score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    assert summary.people == 13
    with start(home) as client:
        teams = client.get("/v1/teams", headers=bearer(issue_token(home, "cmht_system"))).json()
    names = sorted(team["name"] for team in teams["items" if "items" in teams else "teams"])
    assert len(names[0]) == 200 and "\x07" not in names[1]
    assert summary.left_out["id longer than 200 characters, or with control characters"] == 1
