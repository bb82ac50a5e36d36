"""The same settings fitted over several splits: each team left out in turn, or earlier origins in time. A study
registers no model. What a single test slice cannot say is how far figures move between teams and between periods; a
new team should expect
the range, not the mean. Every split is fitted, calibrated and tested on its own slices, with the embargo, and its
figures become a run of their own under the study's run in MLflow.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.records import Records
from training.dataset import splits
from training.dataset.labels import last_settled_day
from training.dataset.prepare import Clock, Prepared, prepare, team_slots
from training.dataset.splits import Split
from training.errors import NotEnoughData
from training.evaluation.figures import numbered
from training.fitting.boosters import fit
from training.fitting.trainable import larger_trees
from training.registry import tracking
from training.settings import Settings
from training.statistics.metrics import Listing, Scored, top_of_lists
from training.statistics.resampling import Draws, Estimate, codes

KINDS = ("leave-one-team-out", "rolling")
FIGURES = ("auroc", "scaled_brier", "calibration_slope", "observed_to_expected", "captured_at_slots")
FEWEST_EVENTS = 10
"""Figures based on fewer events than this are not shown (docs/clinical.md section 5)."""


@dataclass(frozen=True)
class Study:
    """``parts`` holds one entry per split: name, rows, people, and by outcome and horizon events and figures (None
    where too few events to show). ``not_judged`` gives the reason for each split that could not be fitted. For
    example, without a large team too few events may be left to train on."""

    kind: str
    run_id: str
    synthetic: bool
    parts: list[dict[str, Any]]
    not_judged: Mapping[str, str]
    note: str = ""
    """What the study did, and why it did no more."""

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "range": self.range()}

    def range(self) -> dict[str, dict[str, Any]]:
        """By outcome and horizon: how many splits could be judged, and the lowest, median and highest value of each
        figure.
        """
        found: dict[str, dict[str, Any]] = {}
        for name in self.parts[0]["pairs"]:
            shown = [part["pairs"][name]["figures"] for part in self.parts if part["pairs"][name]["figures"]]
            found[name] = {"splits": len(shown)} | {
                figure: dict(
                    zip(("least", "median", "most"), _three([one[figure]["value"] for one in shown]), strict=True)
                )
                for figure in FIGURES
                if shown
            }
        return found

    def lines(self) -> list[str]:
        heads = ("tested on", "outcome, days", "events", "AUROC (95%)", "slope", "captured")
        out = ["Synthetic data: these figures say nothing about people."] if self.synthetic else []
        out += [self.note] if self.note else []
        out.append("{:<14}{:<22}{:>8}  {:<24}{:>7}{:>10}".format(*heads))
        for part in self.parts:
            for name, pair in part["pairs"].items():
                shown = pair["figures"]
                words = f"{part['name']:<14}{name.replace('_', ', '):<22}"
                if not shown:
                    out.append(words + f"{'<' + str(FEWEST_EVENTS):>8}  too few events to show")
                    continue
                a = shown["auroc"]
                interval = f"{_said(a['value'])} ({_said(a['low'])} to {_said(a['high'])})"
                out.append(
                    words + f"{pair['events']:>8,}  {interval:<24}{_said(shown['calibration_slope']['value'], 2):>7}"
                    f"{_said(shown['captured_at_slots']['value']):>10}"
                )
        out += [f"{name:<14}not judged: {why}" for name, why in self.not_judged.items()]
        return [*out, *self.range_lines()]

    def range_lines(self) -> list[str]:
        """The lowest, median and highest value of each figure over the splits; empty for a single split."""
        out = []
        for name, found in self.range().items():
            if found["splits"] < 2:
                continue
            words = [
                f"{label} {_said(found[key]['least'], digits)} to {_said(found[key]['most'], digits)} "
                f"(median {_said(found[key]['median'], digits)})"
                for key, label, digits in (
                    ("auroc", "AUROC", 3),
                    ("calibration_slope", "slope", 2),
                    ("captured_at_slots", "captured", 3),
                )
            ]
            out.append(f"range over {found['splits']} splits, {name.replace('_', ', ')}: {'; '.join(words)}")
        return out


def study(
    records: Records, settings: Settings, home: str | Path, kind: str, progress: Callable[[str], None] = lambda _: None
) -> Study:
    """Fits and tests every split of ``kind`` (one of :data:`KINDS`), and keeps the figures in the MLflow store of
    ``home``.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no study {kind!r}: choose {' or '.join(KINDS)}")
    ready = prepare(records, settings, Clock(progress))
    parts, left_out = [], dict[str, str]()
    for name, split in splits_of(kind, ready, records, settings):
        progress(f"{name}: training on {int(split.train.sum()):,} rows, testing on {int(split.test.sum()):,}")
        try:
            parts.append(_part(name, ready, split, records, settings))
        except NotEnoughData as error:
            left_out[name] = str(error)
            progress(f"{name}: not judged: {error}")
    if not parts:
        reasons = "".join(f"\n{name}: {why}" for name, why in left_out.items())
        raise NotEnoughData(
            f"{kind} leaves no split with rows and events to train, calibrate and test on: bring more teams or "
            f"years.{reasons}"
        )
    note = what_was_done(kind, len(parts) + len(left_out), settings)
    progress(note)
    return _record(records, settings, Path(home), kind, parts, left_out, note)


def what_was_done(kind: str, made: int, settings: Settings) -> str:
    """How many splits were made and, for a rolling study, why not as many as the settings ask for."""
    if kind != "rolling":
        return f"{made} {'team was' if made == 1 else 'teams were'} left out in turn."
    asked = settings.splits.origins
    text = f"{made} of {asked} origins (splits.origins), each tested on later days of its own."
    if made < asked:
        text += (
            f" An earlier origin would leave less than {settings.splits.shortest_training} days of training landmarks "
            "(splits.shortest_training), or no rows to calibrate or test on: bring a longer extract, or lower it."
        )
    return text + (" One origin is the plain split, and shows no spread." if made == 1 else "")


def splits_of(kind: str, ready: Prepared, records: Records, settings: Settings) -> Iterable[tuple[str, Split]]:
    if kind == "rolling":
        last_day = last_settled_day(records, settings.outcomes.settling_days)
        return splits.rolling_origins(ready.spine, settings.outcomes.longest_horizon, last_day, settings.splits)
    return splits.leave_one_team_out(ready.spine, ready.split)


def _part(name: str, ready: Prepared, split: Split, records: Records, settings: Settings) -> dict[str, Any]:
    own = larger_trees(ready, split.train, settings)
    fitted = fit(ready.matrix, ready.labels, split.train, split.calibration, settings.outcomes.horizons, own)
    tested = np.flatnonzero(split.test)
    scores = fitted.by_pair(np.ascontiguousarray(ready.matrix.values[tested]))
    teams = codes(ready.spine["team_id"].iloc[tested])
    room = team_slots(records, ready.spine["team_id"].iloc[tested], settings.evaluation.default_weekly_reviews)
    pairs = {}
    for pair, score in scores.items():
        label = ready.labels[pair].to_numpy(dtype=np.float64)[tested]
        known = ~np.isnan(label)
        people = codes(ready.spine["patient_id"].iloc[tested[known]])
        event_day = ready.follow_up.outcomes[pair.rpartition("_")[0]].event_day[tested[known]]
        event = numbered(people, event_day, label[known] == 1)
        events = int(event.max()) + 1 if len(event) else 0
        figures = None
        if events >= FEWEST_EVENTS:
            draws = Draws.of(people, settings.evaluation.bootstrap_draws, settings.training.seed)
            one = Scored(label[known], score[known])
            listing = Listing(top_of_lists(one.score, teams[known], ready.follow_up.day[tested[known]], room), event)
            found = {**one.probability(draws), "captured_at_slots": listing.captured(draws)}
            figures = {figure: Estimate.of(found[figure]).as_dict() for figure in FIGURES}
        pairs[pair] = {"rows": int(known.sum()), "events": events if figures else None, "figures": figures}
    sizes = {"train_rows": int(split.train.sum()), "calibration_rows": int(split.calibration.sum())}
    return {"name": name, "people": int(ready.spine["patient_id"].iloc[tested].nunique()), **sizes, "pairs": pairs}


def _record(
    records: Records,
    settings: Settings,
    home: Path,
    kind: str,
    parts: list[dict[str, Any]],
    left_out: dict[str, str],
    note: str,
) -> Study:
    store = tracking.open_store(home, settings.tracking, create=True)
    tags = {"data_hash": records.data_hash, "synthetic": str(records.synthetic).lower(), "study": kind}
    with tempfile.TemporaryDirectory() as scratch, store.run(f"study: {kind}", tags) as run:
        made = Study(kind, run.run_id, records.synthetic, parts, left_out, note)
        for part in parts:
            sizes = {key: value for key, value in part.items() if key != "pairs"}
            run.child(f"{kind}: {part['name']}", sizes, _flat(part["pairs"]))
        (Path(scratch) / "study.json").write_text(json.dumps(made.as_dict(), indent=1) + "\n", encoding="utf-8")
        (Path(scratch) / "study.txt").write_text("\n".join(made.lines()) + "\n", encoding="utf-8")
        run.files(Path(scratch), "study")
    return made


def _flat(pairs: Mapping[str, Any]) -> dict[str, float]:
    return {
        f"{name}/{figure}": value["value"]
        for name, pair in pairs.items()
        for figure, value in (pair["figures"] or {}).items()
        if value["value"] is not None
    }


def _three(values: list[float | None]) -> tuple[float | None, float | None, float | None]:
    known = [value for value in values if value is not None]
    return (min(known), float(np.median(known)), max(known)) if known else (None, None, None)


def _said(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
