"""Rounds of retraining in small simulated trusts, to see how effective reviews affect the next model.

Every block of 91 days the people with the highest risks are listed, and a share of them is reviewed that day. A review
cuts the chance of the event by the planted share. After each block the model is trained again on the last blocks, and
its risks make the next list. The same trust is simulated three times with the same random numbers: the first model
stays (``first``), a model learns from the unchanged rows (``naive``), and a model knows who was reviewed (``aware``,
the same code as ``upstream train``: :mod:`training.impact.exposure`). The true risk without a review is known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.dataset.labels import Followed, FollowUp
from training.dataset.prepare import Prepared
from training.dataset.spells import FOREVER
from training.fitting.boosters import Fitted, fit
from training.impact.effects import Interval
from training.impact.exposure import Exposure, exposure_aware
from training.settings import TrainingSettings

Floats = npt.NDArray[np.float64]
HORIZONS = {"admission": (90,)}
PAIR = "admission_90"
APART = 91
FIRST_BLOCK = dt.date(2024, 1, 1)
FEATURES = tuple(SimpleNamespace(name=name, direction=1) for name in ("lasting", "recent", "noise"))
SETTINGS = TrainingSettings(
    trees=60, learning_rate=0.1, max_depth=3, min_rows_in_leaf=40, l2=5.0, feature_fraction=1.0, threads=1
)
WAYS = ("first", "naive", "aware")


@dataclass(frozen=True)
class FeedbackTrust:
    """Sizes and planted effect. ``effect`` is the relative change of the chance of the event by a review; ``share`` of
    the people is listed and ``reviewed`` of those are reviewed. A model learns from the last ``memory`` blocks; the
    list goes live after as many, and ``rounds`` blocks follow.
    """

    people: int = 2500
    memory: int = 3
    rounds: int = 4
    share: float = 0.2
    reviewed: float = 0.6
    effect: float = -0.7
    event_rate_logit: float = -2.6


@dataclass(frozen=True)
class Block:
    """What one way of retraining recorded in one block: all people, in order."""

    features: pd.DataFrame
    risk: Floats
    listed: npt.NDArray[np.bool_]
    reviewed: npt.NDArray[np.bool_]
    event_after: npt.NDArray[np.int64]


def retrain_in(trust: FeedbackTrust, seed: int) -> dict[str, dict[str, float]]:
    """By way of retraining: ``expected_over_true`` of the people listed in the last block, and ``capture``, the share
    of the last block's true risk that the list holds. The same arguments give the same trust.
    """
    features, truth = _people(trust, seed)
    luck = np.random.default_rng((seed, 1)).random((3, len(truth), trust.people))
    before = [
        _live(trust, features[b], truth[b], luck[:, b], np.zeros(trust.people), live=False) for b in range(trust.memory)
    ]
    start = _fit(before, range(trust.memory), None)
    found = {}
    for way in WAYS:
        blocks, model = list(before), start
        for block in range(trust.memory, trust.memory + trust.rounds):
            risk = model.by_pair(features[block])[PAIR]
            blocks.append(_live(trust, features[block], truth[block], luck[:, block], risk, live=True))
            if way != "first":
                recent = range(block + 1 - trust.memory, block + 1)
                log = _log(blocks, trust.memory) if way == "aware" else None
                model = _fit([blocks[b] for b in recent], recent, log)
        found[way] = _against(model.by_pair(features[-1])[PAIR], truth[-1], trust.share)
    return found


def retrain_many(
    trust: FeedbackTrust, trusts: int, seed: int, done: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """The mean over trusts with its 95% interval: expected over true events of the listed (on the log scale), and the
    capture lost against the first model in the same trust (0.02 is 2 in 100 of what the first model finds).
    """
    rows = []
    for number in range(trusts):
        rows.append(retrain_in(trust, seed + number))
        done(number + 1)
    return over_trusts(rows, {"trusts": trusts, "people": trust.people, "rounds": trust.rounds, "effect": trust.effect})


def over_trusts(rows: Sequence[Mapping[str, Mapping[str, float]]], about: dict[str, Any]) -> dict[str, Any]:
    """``about`` with the mean of each way over trusts, and both ways of retraining compared in the same trust: naive
    over aware (``naive_over_aware``), on the log scale, so that the luck of a trust cancels.
    """
    found: dict[str, Any] = dict(about)
    logs = {way: np.log([row[way]["expected_over_true"] for row in rows]) for way in WAYS}
    for way in WAYS:
        lost = _mean(np.array([1 - row[way]["capture"] / row["first"]["capture"] for row in rows]))
        found[way] = {"expected_over_true": _ratio(logs[way]).as_dict(), "capture_lost": lost.as_dict()}
    found["naive_over_aware"] = _ratio(logs["naive"] - logs["aware"]).as_dict()
    return found


def retrain_lines(found: dict[str, Any]) -> list[str]:
    """The result for a terminal."""
    words = {"first": "first model, never retrained", "naive": "the unchanged rows", "aware": "with the exposure log"}
    planted = (
        f"a review changes the chance of the event by {100 * found['effect']:+.0f} in 100"
        if "effect" in found
        else f"whole records, a review of effect {found['review_effect']:g}"
    )
    lines = [f"synthetic: {found['trusts']} trusts of {found['people']:,} people, {found['rounds']} rounds, {planted}"]
    for way in WAYS:
        ratio, lost = found[way]["expected_over_true"], found[way]["capture_lost"]
        lines.append(
            f"{words[way]}: expected over true events of the listed {_said(ratio, 1, 2)}; "
            f"capture lost against the first model {_said(lost, 100, 1)} in 100"
        )
    compared = _said(found["naive_over_aware"], 1, 2)
    theory = f", by theory {found['by_theory']:.2f}" if "by_theory" in found else ""
    said = "risks of the unchanged rows over those with the exposure log, in the same trust"
    lines.append(f"{said}: {compared}{theory}")
    for way, ratio in found.get("over_ideal", {}).items():
        lines.append(f"{words[way]}: risks over those of retraining if nobody were reviewed, {_said(ratio, 1, 2)}")
    return lines


def _said(one: dict[str, float], times: float, digits: int) -> str:
    value, low, high = (f"{times * one[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def mean_ratio(ratios: Sequence[float]) -> dict[str, float | None]:
    """The mean of ratios on the log scale, with its 95% interval."""
    return _ratio(np.log(np.asarray(ratios, dtype=np.float64))).as_dict()


def _ratio(logs: Floats) -> Interval:
    mean = _mean(logs)
    return Interval(*np.exp([mean.value, mean.low, mean.high]).tolist())


def _mean(values: Floats) -> Interval:
    return Interval.around(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def _people(trust: FeedbackTrust, seed: int) -> tuple[list[pd.DataFrame], Floats]:
    """Features and true risks without a review, by block. ``recent`` drifts; ``lasting`` stays with a person."""
    rng = np.random.default_rng((seed, 0))
    lasting, recent = rng.normal(size=trust.people), rng.normal(size=trust.people)
    features, risks = [], []
    for _ in range(trust.memory + trust.rounds + 1):
        recent = 0.8 * recent + 0.6 * rng.normal(size=trust.people)
        noise = rng.normal(size=trust.people)
        columns = np.column_stack([lasting, recent, noise]).astype(np.float32)
        features.append(pd.DataFrame(columns, columns=[one.name for one in FEATURES]))
        risks.append(1 / (1 + np.exp(-(trust.event_rate_logit + 0.9 * lasting + 0.7 * recent))))
    return features, np.asarray(risks)


def _live(trust: FeedbackTrust, features: pd.DataFrame, truth: Floats, luck: Floats, risk: Floats, live: bool) -> Block:
    """One block: the list by ``risk``, reviews on its day, and what happens."""
    listed = np.zeros(trust.people, dtype=bool)
    if live:
        listed[np.argsort(-risk, kind="stable")[: round(trust.share * trust.people)]] = True
    reviewed = listed & (luck[0] < trust.reviewed)
    happens = luck[1] < truth * np.where(reviewed, 1 + trust.effect, 1.0)
    after = np.where(happens, 1 + (luck[2] * 88).astype(np.int64), -1)
    return Block(features, risk, listed, reviewed, after)


def _day(block: int) -> int:
    return int(np.datetime64(FIRST_BLOCK, "D").astype(np.int64)) + APART * block


def _ids(people: int) -> npt.NDArray[np.object_]:
    return np.array([f"P{i:05d}" for i in range(people)], dtype=object)


def _log(blocks: list[Block], live_from: int) -> Exposure:
    """The exposure log: everybody on each list since it went live."""
    lines = [
        pd.DataFrame(
            {
                "patient_id": _ids(len(one.risk)),
                "as_of": np.datetime64(_day(number), "D"),
                "risk": one.risk,
                "placed": one.listed,
                "exposed": one.reviewed,
                "propensity": np.nan,
            }
        )
        for number, one in enumerate(blocks)
        if number >= live_from
    ]
    live = np.datetime64(_day(live_from), "D").item()
    return Exposure(live, pd.concat(lines, ignore_index=True), 0.0)


def _fit(blocks: list[Block], numbers: range, log: Exposure | None) -> Fitted:
    """A model of some blocks, one in four people kept for calibration; with ``log``, follow-up ends at a review."""
    people = len(blocks[0].risk)
    spine = pd.DataFrame(
        {
            "patient_id": np.tile(_ids(people), len(blocks)),
            "as_of": np.repeat([np.datetime64(_day(b), "D") for b in numbers], people),
        }
    )
    day = np.repeat([_day(b) for b in numbers], people).astype(np.int64)
    after = np.concatenate([one.event_after for one in blocks])
    rows, empty = len(spine), np.full(len(spine), "", dtype=object)
    never = np.full(rows, FOREVER, dtype=np.int64)
    one = Followed(np.where(after >= 0, day + after, FOREVER), never, empty, empty, np.ones(rows, dtype=bool))
    followed = FollowUp(spine, day, int(day.max()) + APART, {"admission": one})
    matrix = pd.concat([block.features for block in blocks], ignore_index=True)
    labels, weights = followed.labels(HORIZONS), None
    if log is not None:
        ready = Prepared(spine, pd.DataFrame(), matrix, followed, labels, None)  # type: ignore[arg-type]
        aware, _ = exposure_aware(ready, HORIZONS, log, None)
        labels, weights = aware.labels, aware.weights
    aside = np.tile(np.arange(people) % 4 == 0, len(blocks))
    return fit(matrix, labels, ~aside, aside, HORIZONS, SETTINGS, features=FEATURES, weights=weights)


def _against(risk: Floats, truth: Floats, share: float) -> dict[str, float]:
    listed = np.argsort(-risk, kind="stable")[: round(share * len(risk))]
    return {
        "expected_over_true": float(risk[listed].sum() / truth[listed].sum()),
        "capture": float(truth[listed].sum() / truth.sum()),
    }
