"""A silent trial from the first command to the report, on a simulated trust whose outcomes are known: as the demo does
it (docs/operations.md).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import upstream
from models.publishing import publish
from serving.security.tokens import issue_token
from tests.serving import world
from tests.serving.conftest import client_of
from training.simulator import simulate


def run(*words):
    done = CliRunner().invoke(upstream.app, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A trust of 400 people over a year and a half, to the end of June 2023, with a model that knows nothing."""
    home = tmp_path_factory.mktemp("trial")
    simulate(patients=400, years=1.5, seed=5, teams=2).records.save(home / "store")
    publish(home / "bundles", world.write_tiny_bundle(home / "made", world.records()))
    return home


def test_the_report_after_the_window_counts_events_places_feeds_left_out_ratings_and_a_late_lock(home):
    locked = json.loads(run("score", "--silent", "--home", str(home), "--as-of", "2023-02-01", "--json"))
    assert locked["people"] > 100 and locked["left_out"] > 0
    cases, _ = run("silent", "rating", "--home", str(home)).split()
    teams = {line.split(",")[2] for line in Path(cases).read_text().splitlines()[1:]}
    with client_of(home) as client:
        session = issue_token(home, "pharmacist", sorted(teams)[:1], "Priya", kind="session")
        client.cookies.set("upstream_session", session)
        while form := re.search(r'name="case" value="(\d+)"', page := client.get("/rating").text):
            proof = re.search(r'name="proof" value="([^"]+)"', page)[1]
            client.post("/rating", data={"proof": proof, "case": form[1], "worth": "5", "known": "no"})
    found = json.loads(run("silent", "report", "--home", str(home), "--json"))
    (one,) = found["models"].values()
    assert one["scored"] == locked["people"] and one["followed_up"] + one["too_early_or_left"] == one["scored"]
    assert one["followed_up"] > 0.8 * one["scored"] and one["events"] > 0
    assert one["capture"]["25"] >= one["capture"]["5"] >= 0
    assert one["calibration"]["everybody"]["expected"] > 0 and one["left_out"] and one["days_since_newest"]["contacts"]
    assert found["blind_rating"]["raters"] == 1 and found["blind_rating"]["listed"] == 5.0
    # The outcomes were there before the scores, so the lock proves nothing; the report must not say otherwise.
    assert [lock["locked_before_outcomes"] for lock in found["locks"]] == [False]
    lines = run("silent", "report", "--home", str(home))
    assert "1 not shown to be written before the outcomes" in lines and "blind rating: 5.0 for listed" in lines


def test_before_the_window_has_passed_nothing_is_counted_as_followed_up(home):
    run("score", "--silent", "--home", str(home), "--as-of", "2023-06-20")
    (one,) = json.loads(run("silent", "report", "--home", str(home), "--json"))["models"].values()
    assert one["days"] == 2 and one["followed_up"] < one["scored"] / 1.5
