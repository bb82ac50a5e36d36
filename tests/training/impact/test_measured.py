"""The kept figures of the time after go-live can be renewed: each names a command, which still takes these options."""

from __future__ import annotations

import json
import shlex

import pytest
import typer

from tests.conftest import ROOT, command
from training.cli.after_go_live import impact

KEPT = json.loads((ROOT / "docs" / "measured" / "after_go_live.json").read_text(encoding="utf-8"))
ENTRIES = [entry for part in KEPT.values() if isinstance(part, list) for entry in part]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["command"])
def test_the_command_of_each_figure_is_understood_and_names_as_many_trusts_as_were_simulated(entry):
    upstream, verb, *words = shlex.split(entry["command"])
    assert (upstream, verb) == ("upstream", "impact") and "--json" in words
    group = typer.main.get_command(impact)
    context = group.commands[words[0]].make_context(words[0], words[1:])
    assert context.params["as_json"] is True
    assert context.params["trusts"] == entry["found"]["trusts"]


def test_retraining_on_whole_records_is_played_and_reported_by_the_command():
    """A tiny trust holds that the command runs through; its figures are mostly chance."""
    said = command(
        "impact", "retrain", "--records", "--trusts", "2", "--people", "300", "--rounds", "1", "--seed", "3", "--json"
    )
    found = json.loads(said.stdout)
    assert (found["trusts"], found["people"], found["rounds"], found["reviewed"]) == (2, 300, 1, 0.6)
    assert 0.6 < found["by_theory"] < 1.0  # reviews prevent some events of those who were listed
    assert set(found["over_ideal"]) == {"naive", "aware"} and found["true_events_of_listed"] > 0
    assert found["over_ideal"]["naive"]["value"] < 1.0  # the same rows, with fewer events
    lines = command("impact", "retrain", "--trusts", "2", "--people", "600", "--rounds", "1").stdout.splitlines()
    assert lines[0].startswith("synthetic: 2 trusts of 600 people, 1 rounds")
