"""Small simulated trusts whose risks are planted to be wrong, to measure the watch and the steps of repair.

Everybody is scored once in each block of 91 days. Labels are complete a prediction window and the settling days later,
and a report is written for each block, as ``upstream model report`` is each month. A test alarms or not; then the
step that the change control plan names is taken as soon as it has enough events, the tests begin again on later rows
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
from training.impact.watching.repair import repair
from training.impact.watching.slope import rows_until_slope_alarm, watch_slope
from training.impact.watching.sums import rows_until_alarm, watch
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
    "too close together, right in sum": (0.446, 1.25, "slope"),
    "too far apart, right in sum": (-0.377, 0.8, "slope"),
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
class Alarms:
    """The first alarm of each test in a trust, before any repair: the row of the test of sums, the block of either
    test; None without one.
    """

    sum_row: int | None
    sum_block: int | None
    slope_block: int | None

    @property
    def block(self) -> int | None:
        return min((at for at in (self.sum_block, self.slope_block) if at is not None), default=None)


@dataclass(frozen=True)
class WatchedTrust:
    """One trust. ``steps`` is what the plan named in turn, each with its block; ``observed`` and ``expected`` are the
    events of the last four blocks by the risks as they are then, and ``slope_left`` the true slope that is left: 1
    where the risks are right.
    """

    alarms: Alarms
    steps: tuple[tuple[str, int], ...]
    observed: float
    expected: float
    slope_left: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.steps)


def watch_one(trust: ShiftedTrust, shift: float, slope: float, seed: int, settings: WatchSettings) -> WatchedTrust:
    """Watches one trust to its end. The same arguments give the same trust."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(trust.mean_logit, trust.spread, (trust.blocks, trust.people))
    risk = 1 / (1 + np.exp(-logit))
    event = (rng.random(logit.shape) < 1 / (1 + np.exp(-(shift + slope * logit)))).astype(float)
    first = alarms = _alarms(risk, event, settings)
    steps: list[tuple[str, int]] = []
    begin, left = 0, slope
    for block in range(trust.blocks):
        if alarms.block is None or block < begin + alarms.block:
            continue
        tilted = alarms.slope_block is not None and begin + alarms.slope_block <= block
        try:
            step = repair(risk[begin : block + 1].ravel(), event[begin : block + 1].ravel(), settings, tilted)
        except NotEnoughData:
            continue  # the report says to wait
        if step.step == "none":
            continue
        steps.append((step.step, block))
        if step.step == "refit":
            break
        risk, left = np.asarray(step.apply(risk.ravel())).reshape(risk.shape), left / step.slope
        begin = block + 1
        if begin == trust.blocks:
            break
        alarms = _alarms(risk[begin:], event[begin:], settings)
    return WatchedTrust(first, tuple(steps), float(event[-4:].sum()), float(risk[-4:].sum()), left)


def _alarms(risk: Floats, event: Floats, settings: WatchSettings) -> Alarms:
    """When each test alarms on these blocks, if nothing is repaired. Somebody looks after each block."""
    blocks, people = risk.shape
    row = watch(risk.ravel(), event.ravel(), settings.alpha).alarm_at
    looks = [people * (block + 1) for block in range(blocks)]
    tilted = watch_slope(risk.ravel(), event.ravel(), settings.slope_alpha, looks).alarm_at
    return Alarms(row, None if row is None else row // people, None if tilted is None else tilted // people)


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
    steps = Counter(" then ".join(one.names) or "none" for one in seen)
    ratios = np.array([one.observed / one.expected for one in seen])
    return {
        "alarmed": float(np.mean([one.alarms.block is not None for one in seen])),
        "steps": dict(steps.most_common()),
        "first_step_as_planted": float(np.mean([(one.names or ("none",))[0] == suffices for one in seen])),
        "repaired_as_planted": float(np.mean([_repaired(one.names, suffices) for one in seen])),
        "observed_over_expected_at_end": _mean(ratios),
        "slope_left_at_end": _mean(np.array([one.slope_left for one in seen])),
        "sum": _delay(
            trust,
            [one.alarms.sum_block for one in seen],
            None if suffices == "none" else _theory(trust, shift, slope, settings),
        )
        | _rows([one.alarms.sum_row for one in seen]),
        "slope_test": _delay(
            trust,
            [one.alarms.slope_block for one in seen],
            _slope_theory(trust, shift, slope, settings) if slope != 1.0 else None,
        ),
    }


def _repaired(steps: tuple[str, ...], suffices: str) -> bool:
    """Whether the steps end with what suffices: an intercept may come first, but nothing larger than needed."""
    if suffices == "none":
        return not steps
    return (
        suffices in steps
        and (suffices == "refit" or "refit" not in steps)
        and (suffices != "intercept" or "slope" not in steps)
    )


def _delay(trust: ShiftedTrust, blocks: list[int | None], theory: float | None) -> dict[str, Any]:
    """How many trusts the test alarms in and after how many days, against theory (None where it should not alarm).
    ``beyond_the_test`` says that theory needs more rows than there are.
    """
    found = [APART * at + LABEL_DELAY for at in blocks if at is not None]
    about: dict[str, Any] = {"alarmed": len(found) / len(blocks)}
    if theory is None:
        return about
    if theory > trust.people * trust.blocks:
        return {**about, "beyond_the_test": True}
    allowed = APART * (math.ceil(OVERSHOOT * theory / trust.people) - 1) + LABEL_DELAY
    return {
        **about,
        "rows_by_theory": round(theory),
        "days_until_alarm_mean": float(np.mean(found)) if found else None,
        "days_allowed": allowed,
    }


def _rows(rows: list[int | None]) -> dict[str, Any]:
    known = np.array([one + 1 for one in rows if one is not None], dtype=np.float64)
    return {"rows_until_alarm": _mean(known)} if len(known) > 1 else {}


def _mean(values: Floats) -> dict[str, float | None]:
    return Interval.around(float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))).as_dict()


def _risks(trust: ShiftedTrust) -> Floats:
    x = np.random.default_rng(0).normal(trust.mean_logit, trust.spread, 20_000)
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)


def _theory(trust: ShiftedTrust, shift: float, slope: float, settings: WatchSettings) -> float:
    """Rows that theory expects until the test of sums alarms, for the shift that this misfit means on average."""
    return rows_until_alarm(_risks(trust), shift, settings.alpha, slope)


def _slope_theory(trust: ShiftedTrust, shift: float, slope: float, settings: WatchSettings) -> float:
    return rows_until_slope_alarm(_risks(trust), shift, slope, settings.slope_alpha)


def watch_lines(found: dict[str, Any]) -> list[str]:
    """The result for a terminal."""
    lines = [f"synthetic: {found['trusts']} trusts of {found['people']:,} people, {found['blocks']} blocks of 91 days"]
    for name, (shift, slope, suffices) in PLANTED.items():
        one = found[name]
        end, left = one["observed_over_expected_at_end"], one["slope_left_at_end"]
        lines.append(
            f"{name} (shift {shift:+g}, slope {slope:g}): {_said('events in sum', one['sum'])}; "
            f"{_said('the slope', one['slope_test'])}; the first step is {suffices} in "
            f"{100 * one['first_step_as_planted']:.1f} of 100, repaired with no larger one in "
            f"{100 * one['repaired_as_planted']:.1f}; observed over expected at the end {end['value']:.2f} "
            f"({end['low']:.2f} to {end['high']:.2f}), slope left {left['value']:.2f} "
            f"({left['low']:.2f} to {left['high']:.2f})"
        )
    return lines


def _said(what: str, one: dict[str, Any]) -> str:
    said = f"the test of {what} alarms in {100 * one['alarmed']:.1f} of 100 trusts"
    if "beyond_the_test" in one:
        return f"{said} (theory needs more rows)"
    if one.get("days_until_alarm_mean") is not None:
        said += f" after {one['days_until_alarm_mean']:.0f} days, allowed {one['days_allowed']}"
    return said
