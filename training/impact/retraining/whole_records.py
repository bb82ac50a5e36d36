"""A simulated trust whose list goes live, to compare retraining without and with the exposure log.

The first model learns before the list goes live. Then, every four weeks, the people with the highest risks are
reviewed, and the simulator answers: tablets are taken more regularly for months. Reviews change the records that the
next list reads, so the trust is simulated again up to each list. At the end two models are trained on the whole
record, one on the unchanged rows and one that knows who was listed. The simulator knows the risk of each person if
nobody reviews them from that day on. A list must show this risk, so both models are compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features import build
from training.dataset.landmarks import select
from training.dataset.prepare import Prepared, prepare
from training.fitting.boosters import Fitted, fit
from training.impact.exposure import Exposure, exposure_aware
from training.settings import Settings
from training.simulator import SimulatedTrust, World, simulate
from training.simulator.oracle import FIRST_DAY

Floats = npt.NDArray[np.float64]
PAIR = ("disengagement", 180)
TRUE = "new_disengagement"
"""The oracle's name for the same outcome: a silence that begins on or after the day."""


@dataclass(frozen=True)
class LiveTrust:
    """Sizes and planted effect. ``live_after`` is the day of the simulation on which the list goes live, ``share`` of
    the caseload is listed, ``reviewed`` of those are reviewed; ``lists_apart`` is how many days a list stands.
    """

    patients: int = 1500
    years: float = 4.0
    teams: int = 6
    seed: int = 11
    review_effect: float = 1.5
    live_after: int = 730
    share: float = 0.2
    reviewed: float = 0.5
    lists_apart: int = 84


def try_retraining(trust: LiveTrust, settings: Settings, draws: int = 60) -> dict[str, Any]:
    """The risks of both retrained models at the end, compared with the truth: expected over true events among those
    whom the first model would list, and the rank correlation with the true risk among everybody. Once in the trust
    itself (``list_goes_on``), and once in the same trust without any list (``list_never_was``).
    """
    world = World(review_effect=trust.review_effect)
    last = FIRST_DAY + round(365.25 * trust.years)
    size = {"patients": trust.patients, "years": trust.years, "seed": trust.seed, "teams": trust.teams, "world": world}
    settings = settings.model_copy(
        update={"outcomes": settings.outcomes.model_copy(update={"horizons": {PAIR[0]: (PAIR[1],)}})}
    )
    live = FIRST_DAY + trust.live_after
    played = simulate(**size)  # type: ignore[arg-type]
    ready = prepare(played.records, settings)
    before = _fit(ready, settings, ready.follow_up.day + PAIR[1] <= live)
    reviews: list[pd.DataFrame] = []
    lines: list[pd.DataFrame] = []
    rng = np.random.default_rng(trust.seed)
    for day in range(live, last - 14, trust.lists_apart):
        if reviews:
            played = simulate(**size, reviews=pd.concat(reviews))  # type: ignore[arg-type]
        found = _list(played.records, before, ready, day, trust, rng)
        lines.append(found)
        seen = found[found["exposed"]]
        reviews.append(pd.DataFrame({"patient_id": seen["patient_id"], "reviewed_on": seen["as_of"]}))
    played = simulate(**size, reviews=pd.concat(reviews))  # type: ignore[arg-type]
    log = Exposure(_date(live), pd.concat(lines, ignore_index=True), 0.0)
    return _held_against_truth(played, before, log, settings, trust, draws)


def _date(day: int) -> Any:
    return np.datetime64(day, "D").item()


def _fit(ready: Prepared, settings: Settings, rows: npt.NDArray[np.bool_]) -> Fitted:
    """A model of the rows, one in four people kept for calibration."""
    person = pd.factorize(ready.spine["patient_id"])[0] % 4
    horizons = {PAIR[0]: (PAIR[1],)}
    learn, aside = rows & (person != 0), rows & (person == 0)
    return fit(ready.matrix, ready.labels, learn, aside, horizons, settings.training, weights=ready.weights)


def _list(
    records: Any, model: Fitted, ready: Prepared, day: int, trust: LiveTrust, rng: np.random.Generator
) -> pd.DataFrame:
    """Everybody on the caseload that day with their risk, and who is listed and reviewed."""
    spine = select(records, [np.datetime64(day, "D")]).spine
    risk = model.by_pair(build(records, spine).values)[f"{PAIR[0]}_{PAIR[1]}"]
    listed = risk >= np.quantile(risk, 1 - trust.share)
    return pd.DataFrame(
        {
            "patient_id": spine["patient_id"].to_numpy(object),
            "as_of": np.datetime64(day, "D"),
            "risk": risk,
            "exposed": listed & (rng.random(len(risk)) < trust.reviewed),
            "placed": listed,
            "propensity": np.nan,
        }
    )


def _held_against_truth(
    played: Any, before: Fitted, log: Exposure, settings: Settings, trust: LiveTrust, draws: int
) -> dict[str, Any]:
    ready = prepare(played.records, settings)
    aware, note = exposure_aware(ready, {PAIR[0]: (PAIR[1],)}, log, None)
    day = int(np.datetime64(log.lines["as_of"].max(), "D").astype(np.int64))
    known = ready.follow_up.day + PAIR[1] <= day
    models = {"frozen": before, "naive": _fit(ready, settings, known), "aware": _fit(aware, settings, known)}
    never = simulate(trust.patients, trust.years, trust.seed, trust.teams, world=played.truth.world)
    return {
        "rows_after": note.rows_after,
        "exposed_rows": note.exposed_rows,
        "most_weight": note.most_weight,
        "list_goes_on": _against(models, played, day, trust.share, draws),
        "list_never_was": _against(models, never, day, trust.share, draws),
    }


def _against(models: dict[str, Fitted], trust: SimulatedTrust, day: int, share: float, draws: int) -> dict[str, Any]:
    """The risks of each model on one day against the true risks if nobody reviews from then on."""
    spine = select(trust.records, [np.datetime64(day, "D")]).spine
    matrix = build(trust.records, spine).values
    truth = trust.truth.risk(spine, {TRUE: (PAIR[1],)}, draws=draws)["probability"].to_numpy(np.float64)
    risks = {name: one.by_pair(matrix)[f"{PAIR[0]}_{PAIR[1]}"] for name, one in models.items()}
    there = ~np.isnan(truth)
    listed = there & (risks["frozen"] >= np.quantile(risks["frozen"], 1 - share))
    found: dict[str, Any] = {"people": int(there.sum()), "true_events_of_listed": round(float(truth[listed].sum()), 2)}
    for name, risk in risks.items():
        found[name] = {
            "expected_over_true_of_listed": round(float(risk[listed].sum() / truth[listed].sum()), 3),
            "expected_over_true": round(float(risk[there].sum() / truth[there].sum()), 3),
            "rank_correlation": round(
                float(pd.Series(risk[there]).corr(pd.Series(truth[there]), method="spearman")), 3
            ),
        }
    return found
