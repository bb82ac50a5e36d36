"""Leaving as a competing risk: what came first to the rows that were scored, the event, death or leaving, beside the
model's mean risk.

A row that leaves before an event has no label (docs/clinical.md), so the model learns the share of those who stayed.
That is more than the cumulative incidence, which counts everybody who was scored. Here all rows at risk count, also
those without a label, as far as the records follow them.

What counts as what: a closed referral is leaving, whatever its reason. A silence whose contacts were not submitted ends
what is known, as the end of the records does. Rows that were reviewed from a live list within the horizon are left
out, and the weights of the others stand for them (:mod:`training.impact.exposure`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from training.dataset.labels import AT_RISK, DIED, NOT_SUBMITTED, REVIEWED, UNDER_WAY, FollowUp
from training.dataset.spells import FOREVER
from training.evaluation.schema.competing import CumulativeIncidence
from training.evaluation.schema.evaluation import Evaluation
from training.settings import Settings
from training.statistics.cumulative_incidence import CENSORED, FirstCause, Incidence, incidence
from training.statistics.resampling import Draws, Estimate, Floats, Mask, as_dicts, codes

CAUSES = ("event", "died", "left", "under_way")
FIFTHS = 5


def with_incidence(
    evaluation: Evaluation,
    follow_up: FollowUp,
    rows: Mask,
    model: Mapping[str, Floats],
    settings: Settings,
    weights: Mapping[str, Floats] | None = None,
) -> Evaluation:
    """The same evaluation with what came first to ``rows`` of the spine, also those without a label. ``model`` and
    ``weights`` are by outcome and horizon, one value a row of the spine."""
    longest = {pair.outcome: max(settings.outcomes.horizons[pair.outcome]) for pair in evaluation.pairs.values()}
    pairs = {}
    for name, pair in evaluation.pairs.items():
        at, first = watched(follow_up, pair.outcome, rows, pair.horizon)
        people = codes(follow_up.spine["patient_id"].iloc[at])
        draws = Draws.of(people, settings.evaluation.bootstrap_draws, settings.training.seed)
        draws = draws.standing_for(None if weights is None else weights[name][at])
        found = figures(first, model[name][at], draws, pair.horizon, pair.horizon == longest[pair.outcome])
        pairs[name] = pair.model_copy(update={"cumulative_incidence": found})
    return evaluation.model_copy(update={"pairs": pairs})


def watched(follow_up: FollowUp, outcome: str, rows: Mask, horizon: int) -> tuple[npt.NDArray[np.int64], FirstCause]:
    """Positions of the rows at risk that no list cut short within ``horizon``, and what came first to each."""
    followed = follow_up.outcomes[outcome]
    at = np.flatnonzero(rows & (followed.not_at_risk == AT_RISK))
    day, event, left = follow_up.day[at], followed.event_day[at], followed.exit_day[at]
    reason = followed.exit_reason[at]
    cause = np.select(
        [(event < FOREVER) & (event <= left), left == FOREVER, reason == DIED, reason == UNDER_WAY],
        [CAUSES.index("event") + 1, CENSORED, CAUSES.index("died") + 1, CAUSES.index("under_way") + 1],
        CAUSES.index("left") + 1,
    )
    reviewed = (reason == REVIEWED) & (cause != CAUSES.index("event") + 1)
    cause[reviewed | ((reason == NOT_SUBMITTED) & (event > left))] = CENSORED
    after, settled = np.minimum(event, left) - day, follow_up.last_day + 1 - day
    cause[after >= settled] = CENSORED
    after = np.minimum(after, settled)
    kept = ~(reviewed & (after < horizon))
    return at[kept], FirstCause(after[kept], cause[kept])


def figures(first: FirstCause, risk: Floats, draws: Draws, horizon: int, whole: bool) -> CumulativeIncidence:
    """What came first within ``horizon`` days, beside the model's ``risk`` of the same rows; ``whole`` adds the curve
    by day and the fifths of risk."""
    curves = incidence(first, len(CAUSES), horizon, draws)
    expected = draws.ratio(risk)
    means = {
        "": curves.by_cause[:, 0, horizon],
        "if_nobody_left": curves.alone[:, horizon],
        "of_those_who_stayed": curves.of_those_who_stayed[:, horizon],
    }
    found = {cause: curves.by_cause[:, place, horizon] for place, cause in enumerate(CAUSES)}
    found |= {name: values for name, values in means.items() if name}
    found |= {"_".join(["observed_to_expected", name]).rstrip("_"): _over(one, expected) for name, one in means.items()}
    return CumulativeIncidence.model_validate(
        {
            "rows": len(risk),
            "people": len(np.unique(draws.people)),
            **as_dicts({**found, "mean_risk": expected}),
            "curve": _curve(curves, horizon) if whole else None,
            "fifths": _fifths(first, risk, draws, horizon) if whole else None,
        }
    )


def _curve(curves: Incidence, horizon: int) -> dict[str, list[Any]]:
    shares = {
        cause: [None if np.isnan(share) else round(float(share), 6) for share in curves.by_cause[0, place]]
        for place, cause in enumerate(CAUSES)
    }
    return {"days": list(range(horizon + 1)), **shares}


def _fifths(first: FirstCause, risk: Floats, draws: Draws, horizon: int) -> list[dict[str, Any]]:
    """Fifths of equal weight, by rising risk."""
    order, each = np.argsort(risk, kind="stable"), draws.each
    before = np.cumsum(each[order]) - each[order] / 2
    fifth = np.minimum(FIFTHS * before / max(each.sum(), 1e-12), FIFTHS - 1).astype(np.int64)
    found = []
    for number in range(FIFTHS):
        at = np.sort(order[fifth == number])
        drawn = draws.where(at)
        curves = incidence(FirstCause(first.day[at], first.cause[at]), len(CAUSES), horizon, drawn)
        found.append(
            {
                "rows": len(at),
                "mean_risk": Estimate.of(drawn.ratio(risk[at])).as_dict(),
                "event": Estimate.of(curves.by_cause[:, 0, horizon]).as_dict(),
                "of_those_who_stayed": Estimate.of(curves.of_those_who_stayed[:, horizon]).as_dict(),
            }
        )
    return found


def _over(observed: Floats, expected: Floats) -> Floats:
    return np.divide(observed, expected, out=np.full(len(observed), np.nan), where=expected > 0)
