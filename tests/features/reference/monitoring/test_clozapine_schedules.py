"""A trust chooses the schedule of clozapine counts that its register follows; each has the day it was checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from features.reference.monitoring.clozapine_schedules import DEFAULT, SETTING, clozapine_schedules

PROGRAM = """
import json, sys
import pandas as pd
from features import Records, build, find_gaps
from features.gaps.rules.monitoring import clozapine

def day(ago):
    return pd.Timestamp("2025-07-01") - pd.Timedelta(days=int(ago))

start, counted = sys.argv[1:]
supplies = [{"medicine": "clozapine", "supplied_on": day(ago), "days_supplied": 28, "known_on": day(ago)}
            for ago in range(int(start), 0, -28)]
counts = [{"test": test, "taken_on": day(counted), "known_on": day(counted), "value": 4.0, "unit": "10^9/L"}
          for test in ("anc", "wbc")]
made = Records.from_frames({"patients": pd.DataFrame({"patient_id": ["anna"]}),
                            "supplies": pd.DataFrame(supplies).assign(patient_id="anna"),
                            "results": pd.DataFrame(counts).assign(patient_id="anna")})
spine = pd.DataFrame({"patient_id": ["anna"], "as_of": ["2025-07-01"]})
past = float(build(made, spine, ["clozapine_fbc_days_past_due"]).values[0, 0])
found = find_gaps(made, "2025-07-01").query("code == 'CLZ_FBC_OVERDUE'")
print(json.dumps([past, found["value"].tolist()]))
"""


def asked(schedule: str | None, start: int, counted: int) -> tuple[float, list[str]]:
    """Days past due, and what the gap says, in a program that starts with this setting."""
    names = {name: value for name, value in os.environ.items() if name != SETTING}
    names |= {SETTING: schedule} if schedule else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(start), str(counted)], env=names, capture_output=True, text=True, check=True
    )
    past, said = json.loads(done.stdout)
    return past, said


def test_every_schedule_has_the_day_it_was_checked_and_the_default_is_the_uk():
    assert DEFAULT == "uk_current"
    assert set(clozapine_schedules()) == {"uk_current", "ema_2025"}
    for one in clozapine_schedules().values():
        assert one.in_words == f"{one.label}, checked on {one.checked_on.isoformat()}"


@pytest.mark.parametrize(
    ("schedule", "start", "counted", "past", "words"),
    [
        (None, 600, 30, 2, "every 28 days now.*UK schedule, checked on 2026-01-13"),
        ("ema_2025", 600, 30, -54, ""),
        ("ema_2025", 600, 90, 6, "every 84 days now.*EMA schedule of August 2025, checked on 2026-01-13"),
    ],
)
def test_the_features_and_the_gap_follow_the_schedule_chosen(schedule, start, counted, past, words):
    found, said = asked(schedule, start, counted)
    assert found == past
    assert len(said) == bool(words)
    for value in said:
        first, last = words.split(".*")
        assert first in value and last in value


def test_a_name_that_is_no_schedule_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as refused:
        asked("fda", 600, 30)
    assert f"{SETTING} names no schedule; write one of ema_2025, uk_current" in refused.value.stderr
