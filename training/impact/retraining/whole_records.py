"""Rounds of retraining on whole simulated records, to see how effective reviews affect the next model.

A list goes live in a simulated trust. The people with the highest risks of an unplanned admission are listed, and a
share of them is reviewed that day. The simulator answers (``simulate(reviews=...)``): tablets are taken more regularly
for months, side effects are eased, and the review is a contact that took place. Before each further list the model is
trained again on the unchanged rows, as somebody would who does not know that a list was there.

At the last list four models are compared on the same people and the same day: the first model (``first``), one
trained on the unchanged rows (``naive``), one trained on the same rows with the exposure log (``aware``: follow-up
ends at the review, and rows that continue are weighted by :func:`training.impact.exposure.chances`), and one that no
trust can have: trained on the same rows with what would have happened without the reviews (``ideal``). The simulator
knows each person's risk if the list reviews nobody from that day on. A list must show this risk. ``naive`` and
``ideal`` learn from the same people with the same trees' luck, so their ratio has little chance in it.

Labels are expected ones: each person of a list enters twice, with the event and the weight of their true risk, and
without it and the weight of the rest. The true risk is that with the review where there was one. So a model learns
what it would learn on average over everything that may happen to these people, and only the choice of people is left
to chance. One future would not do: 2,000 people have about 25 admissions a list among those listed, so chance alone
moves a model's risks by a fifth and more, as much as reviews do. A real trust has that chance on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import build
from training.dataset.landmarks import select
from training.fitting.boosters import Fitted, fit
from training.impact.exposure import MOST_WEIGHT, chances
from training.impact.retraining.rounds import WAYS, mean_ratio, over_trusts
from training.settings import TrainingSettings
from training.simulator import SimulatedTrust, World, simulate
from training.simulator.oracle import FIRST_DAY

Floats = npt.NDArray[np.float64]
OUTCOME, HORIZON = "admission", 90
HORIZONS = {OUTCOME: (HORIZON,)}
PAIR = f"{OUTCOME}_{HORIZON}"
APART = 91
SETTINGS = TrainingSettings(
    trees=80,
    learning_rate=0.1,
    max_depth=3,
    min_rows_in_leaf=60,
    l2=5.0,
    feature_fraction=0.25,
    threads=1,
    fewest_calibration_events=1,  # in a trust of a few hundred people the slope may be chance: margins as they are
)


@dataclass(frozen=True)
class LiveTrust:
    """Sizes and planted effect. Lists are 91 days apart; the first is of day ``live_after`` of the simulation.
    ``share`` of the caseload is listed, ``reviewed`` of those are reviewed that day. A model learns from the last
    ``memory`` lists, or from as many days before the first list. ``draws`` futures give each true risk.
    """

    patients: int = 2000
    teams: int = 6
    review_effect: float = 2.5
    live_after: int = 400
    rounds: int = 2
    memory: int = 2
    share: float = 0.2
    reviewed: float = 0.6
    draws: int = 10

    def day(self, number: int) -> int:
        """The day of a list; below 0 a day before the list went live."""
        return FIRST_DAY + self.live_after + APART * number

    def simulated(self, seed: int, lists: Sequence[ListedDay]) -> SimulatedTrust:
        """The trust with the reviews of these lists."""
        seen = [block.lines[block.lines["exposed"]][["patient_id", "as_of"]] for block in lists]
        reviews = pd.concat(seen).rename(columns={"as_of": "reviewed_on"}) if seen else None
        years = (self.live_after + APART * (self.rounds + 1)) / 365.25
        world = World(review_effect=self.review_effect)
        return simulate(self.patients, years, seed, self.teams, world=world, reviews=reviews)


@dataclass(frozen=True)
class ListedDay:
    """The caseload of one day: ``lines`` of the exposure log, inputs, and the true risk of each person as things went
    (``risk``: with the review where there was one) and without a review from that day on (``free``).
    """

    lines: pd.DataFrame
    values: pd.DataFrame
    risk: Floats
    free: Floats

    def among_listed(self, name: str) -> float:
        """The sum of ``risk`` or ``free`` over those listed."""
        listed = self.lines["placed"].to_numpy(bool)
        return float({"risk": self.risk, "free": self.free}[name][listed].sum())


def live_in(trust: LiveTrust, seed: int) -> dict[str, dict[str, float]]:
    """By model, for the last list: ``expected_over_true`` of those whom it lists, ``capture`` (the share of all true
    risk that its list holds), ``true_events`` (the true risk of those listed, summed) and ``over_ideal``: its risks
    over the ideal model's, of those whom the ideal model lists. ``lists`` has ``events_left``, the share of the true
    risk of those listed that the reviews of the last lists left: by theory, the risks of a model of the unchanged rows
    are too low by this. The same arguments give the same trust.
    """
    played = trust.simulated(seed, [])
    before = [_block(played, trust, None, trust.day(number), seed) for number in range(-trust.memory, 0)]
    first = model = _fit(before, "naive")
    lists: list[ListedDay] = []
    for number in range(trust.rounds):
        lists.append(_block(played, trust, model, trust.day(number), seed))
        played = trust.simulated(seed, lists)
        model = _fit([*before, *lists][-trust.memory :], "naive")
    learned = lists[-trust.memory :]
    last = _block(played, trust, None, trust.day(trust.rounds), seed)
    models = {"first": first, "naive": model, "aware": _fit(learned, "aware"), "ideal": _fit(learned, "ideal")}
    risks = {way: one.by_pair(last.values)[PAIR] for way, one in models.items()}
    found = {way: _against(risk, last, trust.share, risks["ideal"]) for way, risk in risks.items()}
    left, all_of_it = (sum(one.among_listed(name) for one in learned) for name in ("risk", "free"))
    return {**found, "lists": {"events_left": left / all_of_it}}


def live_in_many(
    trust: LiveTrust, trusts: int, seed: int, done: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """The mean over trusts with its 95% interval, as ``retrain_many``: how far the last list's risks are from the
    truth, what it finds less than the first model's list, and both ways of retraining compared in the same trust.
    """
    rows = []
    for number in range(trusts):
        rows.append(live_in(trust, seed + number))
        done(number + 1)
    found = over_trusts(rows, about(trust, rows))
    return {**found, "over_ideal": {way: mean_ratio([row[way]["over_ideal"] for row in rows]) for way in WAYS[1:]}}


def about(trust: LiveTrust, rows: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """What was simulated, for the result."""
    events = float(np.mean([row["first"]["true_events"] for row in rows]))
    return {
        "trusts": len(rows),
        "people": trust.patients,
        "rounds": trust.rounds,
        "review_effect": trust.review_effect,
        "reviewed": trust.reviewed,
        "true_events_of_listed": round(events, 1),
        "by_theory": round(float(np.exp(np.mean([np.log(row["lists"]["events_left"]) for row in rows]))), 4),
    }


def _block(played: SimulatedTrust, trust: LiveTrust, model: Fitted | None, day: int, seed: int) -> ListedDay:
    """Everybody on the caseload that day. With a model the fifth with the highest risks is listed, and whom luck
    chooses among them is reviewed.
    """
    spine = select(played.records, [np.datetime64(day, "D")]).spine
    free = _truth(played, spine, trust, reviewed=False)
    spine, free = spine[~np.isnan(free)].reset_index(drop=True), free[~np.isnan(free)]
    values = build(played.records, spine).to_pandas()
    values = values.drop(columns=[name for name in ("patient_id", "as_of", "team_id") if name in values])
    risk = np.zeros(len(spine)) if model is None else model.by_pair(values)[PAIR]
    listed = np.zeros(len(spine), dtype=bool)
    if model is not None:
        listed[_highest(risk, trust.share)] = True
    seen = listed & (np.random.default_rng((seed, day)).random(len(spine)) < trust.reviewed)
    lines = spine[["patient_id", "as_of"]].assign(risk=risk, placed=listed, exposed=seen, propensity=np.nan)
    went = free.copy()
    if seen.any():
        went[seen] = _truth(played, spine[seen], trust, reviewed=True)
    return ListedDay(lines, values, went, free)


def _truth(played: SimulatedTrust, spine: pd.DataFrame, trust: LiveTrust, reviewed: bool) -> Floats:
    risk = played.truth.risk(spine, HORIZONS, draws=trust.draws, reviewed=reviewed)
    return risk["probability"].to_numpy(np.float64)


def _fit(blocks: Sequence[ListedDay], way: str) -> Fitted:
    """A model of these blocks, one in four people kept for calibration. ``aware`` ends the follow-up of those who were
    reviewed that day, and lets the others with a place count for them; ``ideal`` reads what happens without reviews.
    """
    lines = pd.concat([block.lines for block in blocks], ignore_index=True)
    risk = np.concatenate([block.free if way == "ideal" else block.risk for block in blocks])
    label, weight = np.repeat([1.0, 0.0], len(risk)), np.concatenate([risk, 1 - risk])
    if way == "aware":
        label[np.tile(lines["exposed"].to_numpy(bool), 2)] = np.nan
        weight *= np.tile(1 / (1 - np.minimum(chances(lines), 1 - 1 / MOST_WEIGHT)), 2)
    values = pd.concat([block.values for block in blocks] * 2, ignore_index=True)
    aside = np.tile(lines["patient_id"].str.slice(1).astype(int).to_numpy() % 4 == 0, 2)
    labels, counted = pd.DataFrame({PAIR: label}), {PAIR: np.maximum(weight, 1e-9)}
    return fit(values, labels, ~aside, aside, HORIZONS, SETTINGS, weights=counted)


def _highest(risk: Floats, share: float) -> npt.NDArray[np.int64]:
    return np.argsort(-risk, kind="stable")[: round(share * len(risk))]


def _against(risk: Floats, last: ListedDay, share: float, ideal: Floats) -> dict[str, float]:
    theirs = _highest(ideal, share)
    listed = _highest(risk, share)
    true = float(last.free[listed].sum())
    return {
        "expected_over_true": float(risk[listed].sum()) / true,
        "capture": true / float(last.free.sum()),
        "true_events": true,
        "over_ideal": float(risk[theirs].sum() / ideal[theirs].sum()),
    }
