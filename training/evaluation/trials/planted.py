"""Trials on simulated people: whether the planted causes are found, and whether the figures survive planted faults.

*Recovery*. The simulator's hidden state of a person on the day of scoring is replayed, and both the true risk and the
model's are regressed on each hidden quantity (per standard deviation over the same people). The share recovered is the
model's slope over the true one: 1 where the model's risk moves with the cause as much as the truth does, though it
reads only records. A hidden quantity is not a feature: it reaches the model only through its effects on the records.

*Faults*. The records of the same people are damaged as real extracts are (rows sent twice, unknown words, a month not
sent, missing tests, late rows), features are built again, and the risks compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import Records, build
from training.statistics.metrics import Scored
from training.statistics.resampling import Draws, Estimate, Floats

CAUSES = (
    ("severity of illness", "unplanned admission", "severity", "admission"),
    ("missed medicine of the last weeks", "unplanned admission", "missed_medicine", "admission"),
    ("substance episode", "unplanned admission", "substance", "admission"),
    ("no medicine protects", "severity", "unprotected", "admission"),
    ("low engagement", "start of a withdrawal", "stays_away", "disengagement"),
    ("side effects", "coming to contacts", "side_effects", "disengagement"),
    ("withdrawal under way", "contacts missed", "withdrawn", "disengagement"),
)
"""The planted concept, its target, the hidden column, and the outcome it should change
(``training.simulator.planted``). Higher is worse in each.
"""
TOP = 0.1
Score = Callable[[Any], Mapping[str, Floats]]


def effects(
    truth: Any,
    spine: pd.DataFrame,
    true: Mapping[str, Floats],
    model: Mapping[str, Floats],
    draws_number: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Effect of each hidden quantity on the true and the modelled risk. ``true`` and ``model`` are risks by outcome
    of the rows of ``spine``, one row per person. Causes of an outcome that was not trained are left out.
    """
    hidden = _hidden(truth, spine)
    draws = Draws.of(np.arange(len(spine)), draws_number, seed)
    found = []
    for concept, acts_on, column, outcome in CAUSES:
        if outcome not in true:
            continue
        cause = hidden[column]
        keep = ~np.isnan(cause) & ~np.isnan(true[outcome])
        if keep.sum() < 30 or cause[keep].std() == 0:
            continue
        z = (cause[keep] - cause[keep].mean()) / cause[keep].std()
        here = draws.where(keep)
        slopes = [_slope(here, z, risk[outcome][keep]) for risk in (true, model)]
        share = np.divide(slopes[1], slopes[0], out=np.full(len(slopes[0]), np.nan), where=np.abs(slopes[0]) > 1e-9)
        found.append(
            {
                "concept": concept,
                "acts_on": acts_on,
                "outcome": outcome,
                "people": int(keep.sum()),
                "true_effect": Estimate.of(slopes[0]).as_dict(),
                "model_effect": Estimate.of(slopes[1]).as_dict(),
                "share_recovered": Estimate.of(share).as_dict(),
            }
        )
    return found


def _hidden(truth: Any, spine: pd.DataFrame) -> dict[str, Floats]:
    """Hidden quantities at the end of the day before each row's ``as_of``."""
    rows = []
    for patient, day in zip(spine["patient_id"], pd.to_datetime(spine["as_of"]), strict=True):
        course = truth.course(patient)
        before = course[course["day"] < day]
        rows.append(before.iloc[-1] if len(before) else None)
    out = {
        name: np.array([np.nan if row is None else float(row[name]) for row in rows])
        for name in ("severity", "missed_medicine", "substance", "protection", "comes", "side_effects", "withdrawn")
    }
    return {**out, "unprotected": -out["protection"], "stays_away": -out["comes"]}


def _slope(draws: Draws, x: Floats, y: Floats) -> Floats:
    """Slope of y on x in every draw."""
    number = draws.total(np.ones(len(x)))
    mean_x, mean_y = draws.total(x) / number, draws.total(y) / number
    covariance = draws.total(x * y) / number - mean_x * mean_y
    variance = draws.total(x * x) / number - mean_x**2
    return np.divide(covariance, variance, out=np.full(len(number), np.nan), where=variance > 0)


def _twice(rows: pd.DataFrame, key: str, rng: np.random.Generator) -> pd.DataFrame:
    """Sends one row in ten again under another id."""
    again = rows[rng.random(len(rows)) < 0.1].copy()
    again[key] = again[key].astype(str) + "-again"
    return pd.concat([rows, again], ignore_index=True)


def _late(rows: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Shifts ``known_on`` by 14 days."""
    return rows.assign(**{name: rows[name] + pd.Timedelta(days=14) for name in columns})


def _spoilt(records: Records, last: pd.Timestamp, seed: int) -> dict[str, dict[str, pd.DataFrame]]:
    rng = np.random.default_rng(seed)
    contacts, results, supplies = records["contacts"], records["results"], records["supplies"]
    month = (contacts["contact_on"] >= last - pd.Timedelta(days=60)) & (
        contacts["contact_on"] < last - pd.Timedelta(days=30)
    )
    words = results.astype({"test": object})
    words.loc[rng.random(len(words)) < 0.1, "test"] = "a local word"
    return {
        "one contact in ten sent twice": {"contacts": _twice(contacts, "contact_id", rng)},
        "one result in ten under an unknown name": {"results": words},
        "a month of contacts never sent": {"contacts": contacts[~month]},
        "no test result of the last half year": {
            "results": results[results["taken_on"] < last - pd.Timedelta(days=182)]
        },
        "contacts known two weeks late": {"contacts": _late(contacts, ("known_on", "outcome_known_on"))},
        "one supply in five missing": {"supplies": supplies[rng.random(len(supplies)) > 0.2]},
    }  # fmt: skip


def faults(
    records: Records, spine: pd.DataFrame, labels: Mapping[str, Floats], score: Score, draws_number: int, seed: int
) -> list[dict[str, Any]]:
    """For each fault and each of ``labels`` (outcome and horizon): how much the risks change, how many people leave
    or join the top, and AUROC. ``spine`` holds the rows of the people looked at, on one day each.
    """
    people = records.select(spine["patient_id"].unique())
    frames = {name: people[name] for name in people.tables}
    whole = score(build(people, spine))
    draws = Draws.of(np.arange(len(spine)), draws_number, seed)
    found = []
    for fault, changed in _spoilt(people, pd.to_datetime(spine["as_of"]).max(), seed).items():
        spoilt = score(build(Records.from_frames({**frames, **changed}, about=people.about), spine))
        for pair, label in labels.items():
            was, now = whole[pair], spoilt[pair]
            moved = np.abs(now - was)
            known = ~np.isnan(label)
            auroc = [Scored(label[known], risk[known]).ranking(draws.where(known))["auroc"] for risk in (was, now)]
            found.append(
                {
                    "fault": fault,
                    "pair": pair,
                    "mean_risk": round(float(was.mean()), 6),
                    "mean_change": Estimate.of(draws.ratio(moved)).as_dict(),
                    "largest_change": round(float(moved.max()), 6),
                    "top_shared": _shared(was, now),
                    "auroc_whole": Estimate.of(auroc[0]).as_dict(),
                    "auroc_with_fault": Estimate.of(auroc[1]).as_dict(),
                    "auroc_lost": Estimate.of(auroc[0] - auroc[1]).as_dict(),
                }
            )
    return found


def _shared(a: Floats, b: Floats) -> float:
    """Jaccard overlap: of the tenth of highest risk by either, the share that both contain."""
    size = max(1, int(TOP * len(a)))
    tops: list[set[int]] = [set(np.argsort(-risk, kind="stable")[:size].tolist()) for risk in (a, b)]
    return round(len(tops[0] & tops[1]) / len(tops[0] | tops[1]), 6)


def sample(people: npt.NDArray[np.int64], at: npt.NDArray[np.int64], number: int, seed: int) -> npt.NDArray[np.int64]:
    """Positions among ``at``: one random row each of at most ``number`` people."""
    mixed = np.random.default_rng(seed).permutation(at)
    _, first = np.unique(people[mixed], return_index=True)
    chosen = np.random.default_rng(seed).permutation(mixed[first])[:number]
    return np.sort(chosen)
