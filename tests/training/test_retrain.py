"""docs/train.md, "Retrain on your own data", followed to the letter.

Its commands are read from the page and run, with a folder made by hand and with OMOP.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
import yaml

from features.records.tables import TABLES
from tests.conftest import ROOT, command
from tests.training.conftest import SMALL, made_up_frames, no_pictures, no_served_model

pytestmark = pytest.mark.usefixtures("store_template")

SYNPUF = ROOT.parent / "shared" / "data" / "omop_synpuf50"
SECTION = "## Retrain on your own data"
QUICK = {
    "training": {"trees": 20, "min_rows_in_leaf": 20, "refit_folds": 2, "range_refits": 2},
    "controls": SMALL["controls"],
    "evaluation": {**SMALL["evaluation"], "bootstrap_draws": 5, "stability_refits": 1},
    "tuning": {"seconds": 1},
    "promotion": {"leak_checks": 20},
}


def commands() -> list[str]:
    """The lines of the section's code block, without the comments after them."""
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    block = re.search(rf"{SECTION}\n.*?```\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return [line.split("  #")[0].strip() for line in block.group(1).splitlines() if line.strip()]


def typed(line: str, where: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a line does that is typed into a shell. Our own verbs run in this process, because most of the time of a
    process goes into its imports; tests/test_wheel.py holds that they run as processes."""
    program, *words = shlex.split(line)
    if program.endswith("upstream"):
        with chdir(where), no_pictures(), no_served_model():
            return command(*words, ok=False, **environment)
    return subprocess.run(
        ["sh", "-c", line], cwd=where, env=environment, capture_output=True, text=True, timeout=280, check=False
    )


def follow(folder: Path, where: Path, kind: str, change: dict) -> dict[str, subprocess.CompletedProcess[str]]:
    """Runs every command in a folder of its own, where ``mlflow.yaml`` is this checkout's. ``change`` is what this
    trust changes in its copy of the settings. Gives what each verb printed."""
    shutil.copy(ROOT / "mlflow.yaml", where / "mlflow.yaml")
    environment, said = {**os.environ, "COLUMNS": "160"}, {}
    for line in commands():
        line = line.replace("ingest own FOLDER", f"ingest {kind} {folder}")
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            environment[name] = value
            continue
        done = typed(line, where, environment)
        if line.startswith("cp "):
            own = where / line.split()[-1]
            settings = yaml.safe_load(own.read_text(encoding="utf-8"))
            for section, values in change.items():
                settings[section] |= values
            own.write_text(yaml.safe_dump(settings), encoding="utf-8")
        verb = next(
            (
                word
                for word in ("ingest", "train", "evaluate", "promote", "sync", "score")
                if f"upstream {word}" in line
            ),
            "cp",
        )
        said[verb] = done
        if done.returncode:
            break  # as a person would: a refusal is read before anything else is typed
    return said


def passed_or_refused_with_reasons(said: dict[str, subprocess.CompletedProcess[str]]) -> None:
    for verb in ("ingest", "cp", "train", "evaluate"):
        assert said[verb].returncode == 0, f"{verb}: {said[verb].stdout}{said[verb].stderr}"
    decision = said["promote"]
    lines = decision.stdout.splitlines()
    assert any("leak_proof" in line and "No difference" in line for line in lines), decision.stderr
    if decision.returncode:  # an honest refusal names its gates, and nothing is served
        assert any(line.startswith("REFUSED") for line in lines)
        assert lines[-1].endswith("was refused")
        assert "sync" not in said
    else:
        assert said["sync"].returncode == said["score"].returncode == 0


@pytest.mark.slow
def test_with_a_folder_of_csv_files_made_by_hand(tmp_path):
    folder = tmp_path / "extract"
    folder.mkdir()
    frames = made_up_frames()
    for name, table in TABLES.items():  # a table without rows is a file with its header alone
        frames.get(name, pd.DataFrame(columns=list(table.names))).to_csv(folder / f"{name}.csv", index=False)
    cohort = {"history_days": 120}
    outcomes = {"submission_gap_tolerance": None}
    said = follow(folder, tmp_path, "own", {**QUICK, "cohort": cohort, "outcomes": outcomes})
    passed_or_refused_with_reasons(said)
    assert "disengagement, 180" in said["evaluate"].stdout
    assert "Synthetic" not in said["evaluate"].stdout  # these records do not say that they are


@pytest.mark.slow
@pytest.mark.external
@pytest.mark.skipif(not SYNPUF.exists(), reason="../shared/data/omop_synpuf50 is not on this machine")
def test_with_public_omop_records(tmp_path):
    """Fifty people of claims: no missed appointments, so no disengagement to learn; with only admissions the whole
    path runs, and the gates refuse."""
    outcomes = {"horizons": {"admission": [28, 90]}}
    promotion = {**QUICK["promotion"], "headline": ["admission_90"]}
    training = {**QUICK["training"], "refit_folds": 0}  # 18 events in two thirds of fifty people calibrate no folds
    said = follow(
        SYNPUF, tmp_path, "omop", {**QUICK, "outcomes": outcomes, "promotion": promotion, "training": training}
    )
    passed_or_refused_with_reasons(said)
    assert said["promote"].returncode == 1
    assert "too few events" in said["promote"].stdout
