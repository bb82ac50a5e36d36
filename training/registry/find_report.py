"""Finds the report of a run: by run, by registered version, or the challenger's; and copies it from where MLflow
keeps it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from training.errors import ArtefactAbsent
from training.evaluation.page import JSON_NAME, PAGE_NAME
from training.evaluation.schema.evaluation import Evaluation
from training.registry import tracking
from training.registry.tracking import Store


@dataclass(frozen=True)
class Found:
    """``evaluation`` as the run wrote it, and the page with it."""

    run_id: str
    evaluation: Evaluation
    page: Path


def find(store: Store, out: Path, *, run: str | None = None, version: str | None = None) -> Found:
    """Copies the report of ``run``, of ``version`` (a number or an alias) or of the challenger to ``out``.

    Raises NoRun or NoChallenger if there is no such run, and ArtefactAbsent if it wrote no report.
    """
    if run is None:
        found = (
            store.find(version) if version and version.isdecimal() else store.version(version or tracking.CHALLENGER)
        )
        run = found.run_id
    with store.files_of(run, tracking.EVALUATION) as folder:
        for name in (JSON_NAME, PAGE_NAME):
            if not (folder / name).is_file():
                raise ArtefactAbsent(f"Run {run} has no {name}: train again; a model without its report is not used.")
        out.mkdir(parents=True, exist_ok=True)
        for name in (JSON_NAME, PAGE_NAME):
            shutil.copyfile(folder / name, out / name)
    return Found(run, Evaluation.read((out / JSON_NAME).read_bytes()), out / PAGE_NAME)
