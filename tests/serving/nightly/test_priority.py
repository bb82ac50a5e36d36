"""The nightly run loads and scores at a low priority, and publishes at its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
import json, os
from serving.nightly.priority import letting_others_first
seen = []
def look(stage, done, total):
    seen.append((stage, os.getpriority(os.PRIO_PROCESS, 0)))
follow = letting_others_first(look)
for stage in ("loading", "scoring", "publishing"):
    {before}
    follow(stage, 0, 1)
print(json.dumps(seen))
"""
REFUSED = "os.setpriority = lambda *_: (_ for _ in ()).throw(PermissionError()) if stage == 'publishing' else None"


def priorities(before="pass", nice=0):
    """Of a process of its own, because a priority that was lowered may not be raised again."""
    words = [sys.executable, "-c", PROGRAM.format(before=before)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=lambda: os.nice(nice))
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may raise a priority again")
def test_a_run_scores_at_a_low_priority_and_publishes_at_its_own():
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities() == {"loading": max(own, 10), "scoring": max(own, 10), "publishing": own}


def test_where_a_priority_may_not_be_raised_again_the_run_goes_on():
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert priorities(REFUSED)["publishing"] == max(own, 10)


def test_a_lower_priority_of_its_own_is_kept():
    own = min(os.getpriority(os.PRIO_PROCESS, 0) + 15, 19)
    assert priorities(nice=15) == {"loading": max(own, 10), "scoring": max(own, 10), "publishing": own}


def test_the_verb_lowers_its_priority_before_it_loads(monkeypatch, tmp_path):
    from serving.cli import service
    from serving.nightly import priority, run

    seen = []
    monkeypatch.setattr(priority, "letting_others_first", lambda progress: seen.append("lowered") or progress)
    monkeypatch.setattr(
        "serving.messages.reply_contacts.add_reply_contacts", lambda *_: seen.append("loaded") or Lines()
    )

    def stop(*_, progress, **__):
        seen.append("scored")
        raise StopIteration

    monkeypatch.setattr(run, "score_store", stop)
    with pytest.raises(StopIteration):
        service.score(tmp_path)
    assert seen == ["lowered", "loaded", "scored"]


class Lines:
    def lines(self):
        return []
