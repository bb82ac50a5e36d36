"""Rounds of retraining on whole simulated records, to see how effective reviews affect the next model.

A list goes live in a simulated trust. The people with the highest risks of an unplanned admission are listed, and a
share of them is reviewed that day. The simulator answers (``simulate(reviews=...)``): tablets are taken more regularly
for months, side effects are eased, and the review is a contact that took place. Before each further list the model is
trained again on the unchanged rows, as somebody would who does not know that a list was there.

At the last list three models are compared on the same people and the same day: the first model (``first``), one
trained on the unchanged rows (``naive``), and one trained on the same rows with the exposure log (``aware``, the same
code as ``upstream train``: :mod:`training.impact.exposure`). The simulator knows each person's risk if the list reviews
nobody from that day on. A list must show this risk.

The comparison is made in one trust, because chance moves the risks of a model of 2,000 people by about a quarter, and
the effect of the reviews by a fifth: models of two trusts could not be told apart. Admission is used, because a review
changes it enough: at a ``review_effect`` of 2.5 it prevents about a quarter of the admissions of the next 90 days among
the fifth with the highest risks, and one in ten of their disengagements, of which there are a quarter as many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import build
from training.dataset.landmarks import select
from training.dataset.prepare import Prepared, prepare
from training.fitting.boosters import Fitted, fit
from training.fitting.refit import refit
from training.impact.exposure import Exposure, exposure_aware
from training.impact.retraining.rounds import over_trusts
from training.settings import Settings
from training.simulator import SimulatedTrust, World, simulate
from training.simulator.oracle import FIRST_DAY

Floats = npt.NDArray[np.float64]
OUTCOME, HORIZON = "admission", 90
HORIZONS = {OUTCOME: (HORIZON,)}
PAIR = f"{OUTCOME}_{HORIZON}"


@dataclass(frozen=True)
class LiveTrust:
    """Sizes and planted effect. ``share`` of the caseload is listed on the day of a list, ``reviewed`` of those are
    reviewed that day; ``lists_apart`` is how many days a list stands, long enough for its outcomes to settle, and
    ``lists`` how many there are. A model learns from the days of the last ``memory`` lists, or from as many days as far
    apart before the first list.
    """

    patients: int = 2000
    teams: int = 6
    review_effect: float = 2.5
    lists: int = 5
    lists_apart: int = 112
    memory: int = 4
    share: float = 0.2
    reviewed: float = 0.6
    draws: int = 20

    def days(self, settings: Settings) -> list[int]:
        """The days of the lists."""
        first = FIRST_DAY + settings.cohort.history_days + self.lists_apart * self.memory
        return [first + self.lists_apart * number for number in range(self.lists)]

    def years(self, settings: Settings) -> float:
        """Years to simulate: until the last list has stood for its time."""
        return (self.days(settings)[-1] + self.lists_apart - FIRST_DAY) / 365.25

    def simulated(self, seed: int, settings: Settings, reviews: list[pd.DataFrame]) -> SimulatedTrust:
        """The trust with these reviews from lists."""
        given = pd.concat(reviews) if reviews else None
        world = World(review_effect=self.review_effect)
        return simulate(self.patients, self.years(settings), seed, self.teams, world=world, reviews=given)


def live_in(trust: LiveTrust, seed: int, settings: Settings) -> dict[str, dict[str, float]]:
    """By model, for the last list: ``expected_over_true`` of those whom it lists, ``capture`` (the share of all true
    risk that its list holds) and ``true_events``, the true risk of those listed, summed. The same arguments give the
    same trust. Rows are of the days of lists; so that they suffice, a leaf needs 100 of them.
    """
    settings = settings.model_copy(
        update={
            "outcomes": settings.outcomes.model_copy(update={"horizons": HORIZONS}),
            "cohort": settings.cohort.model_copy(update={"landmark_every_days": trust.lists_apart}),
            "training": settings.training.model_copy(update={"min_rows_in_leaf": 100, "refit_folds": 2}),
        }
    )
    days = trust.days(settings)
    played, lines = trust.simulated(seed, settings, []), []
    ready = prepare(played.records, settings)
    first = model = _fit(ready, settings, trust, days[0])
    for number, day in enumerate(days):
        if number:
            played = trust.simulated(seed, settings, [_reviews(one) for one in lines])
            ready = prepare(played.records, settings)
            model = _fit(ready, settings, trust, day)
        lines.append(_list(played, model, trust, day, seed))
    log = Exposure(np.datetime64(days[0], "D").item(), pd.concat(lines[:-1], ignore_index=True), 0.0)
    aware, _ = exposure_aware(ready, HORIZONS, log, None)
    models = {"first": first, "naive": model, "aware": _fit(aware, settings, trust, days[-1])}
    return _against(models, played, trust, days[-1])


def live_in_many(
    trust: LiveTrust, trusts: int, seed: int, settings: Settings, done: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """The mean over trusts with its 95% interval, as ``retrain_many``: how far the last list's risks are from the
    truth, what it finds less than the first model's list, and both ways of retraining compared in the same trust.
    """
    rows = []
    for number in range(trusts):
        rows.append(live_in(trust, seed + number, settings))
        done(number + 1)
    events = float(np.mean([row["first"]["true_events"] for row in rows]))
    about = {"trusts": trusts, "people": trust.patients, "rounds": trust.lists - 1, "records": "whole"}
    about |= {"review_effect": trust.review_effect, "true_events_of_listed": round(events, 1)}
    return over_trusts(rows, about)


def _fit(ready: Prepared, settings: Settings, trust: LiveTrust, day: int) -> Fitted:
    """A model as ``upstream train`` serves it, of the rows of the last ``memory`` lists before ``day``."""
    on = ready.follow_up.day
    rows = np.flatnonzero((on < day) & (on >= day - trust.memory * trust.lists_apart))
    values, labels = ready.matrix.values[rows], ready.labels.iloc[rows].reset_index(drop=True)
    people = pd.factorize(ready.spine["patient_id"])[0][rows]
    weights = None if ready.weights is None else {pair: of_pair[rows] for pair, of_pair in ready.weights.items()}
    aside = people % 4 == 0
    matrix = pd.DataFrame(values, columns=list(ready.matrix.names))
    once = fit(matrix, labels, ~aside, aside, HORIZONS, settings.training, weights=weights)
    return refit(values, labels, people, once, settings.training, weights)


def _list(played: SimulatedTrust, model: Fitted, trust: LiveTrust, day: int, seed: int) -> pd.DataFrame:
    """Everybody on the caseload that day with their risk, and who is listed and reviewed. The luck of a review belongs
    to the person and the day.
    """
    spine = select(played.records, [np.datetime64(day, "D")]).spine
    risk = model.by_pair(build(played.records, spine).values)[PAIR]
    number = spine["patient_id"].str.slice(1).astype(int).to_numpy() - 1
    luck = np.random.default_rng((seed, day)).random(trust.patients)[number]
    listed = np.zeros(len(risk), dtype=bool)
    listed[np.argsort(-risk, kind="stable")[: round(trust.share * len(risk))]] = True
    return pd.DataFrame(
        {
            "patient_id": spine["patient_id"].to_numpy(object),
            "as_of": np.datetime64(day, "D"),
            "risk": risk,
            "placed": listed,
            "exposed": listed & (luck < trust.reviewed),
            "propensity": np.nan,
        }
    )


def _reviews(lines: pd.DataFrame) -> pd.DataFrame:
    seen = lines[lines["exposed"]]
    return pd.DataFrame({"patient_id": seen["patient_id"], "reviewed_on": seen["as_of"]})


def _against(
    models: dict[str, Fitted], played: SimulatedTrust, trust: LiveTrust, day: int
) -> dict[str, dict[str, float]]:
    """What a list of each model shows on one day, against the true risks if the list reviews nobody from then on."""
    spine = select(played.records, [np.datetime64(day, "D")]).spine
    matrix = build(played.records, spine).values
    truth = played.truth.risk(spine, HORIZONS, draws=trust.draws)["probability"].to_numpy(np.float64)
    there = ~np.isnan(truth)
    found = {}
    for way, model in models.items():
        risk = model.by_pair(matrix)[PAIR][there]
        listed = np.argsort(-risk, kind="stable")[: round(trust.share * len(risk))]
        true = float(truth[there][listed].sum())
        found[way] = {
            "expected_over_true": float(risk[listed].sum()) / true,
            "capture": true / float(truth[there].sum()),
            "true_events": true,
        }
    return found
