"""Small simulated trusts whose risks are planted to be wrong, to measure the watch and the steps of repair.

Everybody is scored once in each block of 91 days. Labels are complete a prediction window and the settling days later,
and a report is written for each block, as ``upstream model report`` is each month. The test alarms or not; then the
step that the change control plan names is taken as soon as it has enough events, the test begins again on later rows
with the repaired risks, and so on. The truth is known, so the delay and what is left of the misfit can be counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import NotEnoughData
from training.impact.effects import Interval
from training.impact.watching import repair, rows_until_alarm, watch
from training.settings import WatchSettings

Floats = npt.NDArray[np.float64]
APART = 91
LABEL_DELAY = 104
"""A prediction window of 90 days and 14 days to settle."""
OVERSHOOT = 1.25
"""Theory leaves out what the last row adds beyond the limit; the trials may need this many times as many rows."""
PLANTED: dict[str, tuple[float, float, str]] = {
    "right": (0.0, 1.0, "none"),
    "too low": (0.5, 1.0, "intercept"),
    "too high": (-0.5, 1.0, "intercept"),
    "too close together": (0.0, 1.25, "slope"),
    "too close together, right in sum": (0.3, 1.25, "slope"),
    "far too low": (1.2, 1.0, "refit"),
}
"""What is planted: shift of the log-odds, slope, and the step that is known to suffice."""


@dataclass(frozen=True)
class ShiftedTrust:
    """Sizes. ``blocks`` is how long the trust is watched."""

    people: int = 600
    blocks: int = 24
    mean_logit: float = -2.5
    spread: float = 1.0


@dataclass(frozen=True)
class WatchedTrust:
    """One trust. ``alarm_row`` is the row of the first alarm and ``alarm_block`` its block (None without one),
    ``steps`` what the plan named in turn; ``observed`` and ``expected`` are the events of the last four blocks by the
    risks as they are then.
    """

    alarm_row: int | None
    alarm_block: int | None
    steps: tuple[str, ...]
    observed: float
    expected: float


def watch_one(trust: ShiftedTrust, shift: float, slope: float, seed: int, settings: WatchSettings) -> WatchedTrust:
    """Watches one trust to its end. The same arguments give the same trust."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(trust.mean_logit, trust.spread, (trust.blocks, trust.people))
    risk = 1 / (1 + np.exp(-logit))
    event = (rng.random(logit.shape) < 1 / (1 + np.exp(-(shift + slope * logit)))).astype(float)
    first: tuple[int, int] | None = None
    steps: list[str] = []
    begin, alarmed = 0, False
    for block in range(trust.blocks):
        seen, happened = risk[begin : block + 1].ravel(), event[begin : block + 1].ravel()
        if not alarmed:
            at = watch(seen, happened, settings.alpha).alarm_at
            alarmed = at is not None
            if at is not None and first is None:
                first = (at, block)
        if not alarmed:
            continue
        try:
            step = repair(seen, happened, settings)
        except NotEnoughData:
            continue  # the report says to wait
        if step.step == "none":
            continue
        steps.append(step.step)
        if step.step == "refit":
            break
        risk, begin, alarmed = np.asarray(step.apply(risk.ravel())).reshape(risk.shape), block + 1, False
    row, at_block = first if first is not None else (None, None)
    return WatchedTrust(row, at_block, tuple(steps), float(event[-4:].sum()), float(risk[-4:].sum()))


def watch_many(
    trust: ShiftedTrust, trusts: int, seed: int, settings: WatchSettings, done: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """What is found in ``trusts`` simulated trusts for each planted misfit: how often and how soon the test alarms,
    against theory, which steps are named, and observed over expected at the end.
    """
    found: dict[str, Any] = {"trusts": trusts, "people": trust.people, "blocks": trust.blocks, "alpha": settings.alpha}
    for number, (name, (shift, slope, suffices)) in enumerate(PLANTED.items()):
        seen = [watch_one(trust, shift, slope, seed + one, settings) for one in range(trusts)]
        found[name] = {
            "shift": shift,
            "slope": slope,
            "suffices": suffices,
            **_summary(trust, shift, slope, suffices, seen, settings),
        }
        done(number + 1)
    return found


def _summary(
    trust: ShiftedTrust, shift: float, slope: float, suffices: str, seen: list[WatchedTrust], settings: WatchSettings
) -> dict[str, Any]:
    alarmed = [one for one in seen if one.alarm_row is not None]
    steps = Counter(" then ".join(one.steps) or "none" for one in seen)
    ratios = np.array([one.observed / one.expected for one in seen])
    about: dict[str, Any] = {
        "alarmed": len(alarmed) / len(seen),
        "steps": dict(steps.most_common()),
        "first_step_as_planted": float(np.mean([(one.steps or ("none",))[0] == suffices for one in seen])),
        "observed_over_expected_at_end": Interval.around(
            float(ratios.mean()), float(ratios.std(ddof=1) / math.sqrt(len(ratios)))
        ).as_dict(),
    }
    if suffices != "none" and alarmed:
        rows = np.array([one.alarm_row + 1 for one in alarmed if one.alarm_row is not None], dtype=np.float64)
        days = [APART * one.alarm_block + LABEL_DELAY for one in alarmed if one.alarm_block is not None]
        theory = _theory(trust, shift, slope, settings.alpha)
        if theory > trust.people * trust.blocks:
            return {**about, "beyond_the_test": True}
        allowed = APART * (math.ceil(OVERSHOOT * theory / trust.people) - 1) + LABEL_DELAY
        about |= {
            "rows_until_alarm": Interval.around(
                float(rows.mean()), float(rows.std(ddof=1) / math.sqrt(len(rows)))
            ).as_dict(),
            "rows_by_theory": round(theory),
            "mean_rows_over_theory": float(rows.mean()) / theory,
            "days_until_alarm_mean": float(np.mean(days)),
            "days_allowed": allowed,
        }
    return about


def _theory(trust: ShiftedTrust, shift: float, slope: float, alpha: float) -> float:
    """Rows that theory expects until an alarm, for the shift that this misfit means on average."""
    x = np.random.default_rng(0).normal(trust.mean_logit, trust.spread, 20_000)
    return rows_until_alarm(1 / (1 + np.exp(-x)), shift, alpha, slope)


def watch_lines(found: dict[str, Any]) -> list[str]:
    """The result for a terminal."""
    lines = [f"synthetic: {found['trusts']} trusts of {found['people']:,} people, {found['blocks']} blocks of 91 days"]
    for name, (shift, slope, suffices) in PLANTED.items():
        one = found[name]
        end = one["observed_over_expected_at_end"]
        said = f"{name} (shift {shift:+g}, slope {slope:g}): alarm in {100 * one['alarmed']:.1f} of 100 trusts"
        if "rows_by_theory" in one:
            said += (
                f" after {one['rows_until_alarm']['value']:,.0f} rows on average, by theory {one['rows_by_theory']:,}; "
                f"{one['days_until_alarm_mean']:.0f} days, allowed {one['days_allowed']}"
            )
        if "beyond_the_test" in one:
            said += ", which reads events in sum (the slope by month shows this misfit)"
        said += f"; the first step is {suffices} in {100 * one['first_step_as_planted']:.1f} of 100"
        lines.append(
            f"{said}; observed over expected at the end {end['value']:.2f} ({end['low']:.2f} to {end['high']:.2f})"
        )
    return lines
