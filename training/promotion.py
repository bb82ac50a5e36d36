"""Promotion: a challenger becomes champion only through the gates of mlflow.yaml, and who and why is kept.

Every gate reads ``evaluation.json`` of the run that made the version: no figure is typed in. There is no way to force one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle import verify
from models.errors import BundleError
from training import tracking
from training.errors import ArtefactAbsent, NoRun
from training.settings import PromotionSettings, Settings
from training.tracking import CHALLENGER, CHAMPION, PREVIOUS, Store, Version


@dataclass(frozen=True)
class Gate:
    """One condition: the figure found, what was needed, and whether it holds.

    ``judged`` is False where the test slice holds too few events to tell. On synthetic data such a gate is shown and does not refuse (a demonstration
    of a few hundred people must run, and its model serves nobody); on anyone else's data it refuses.
    """

    name: str
    found: str
    needed: str
    passed: bool
    judged: bool = True

    def __str__(self) -> str:
        word = (
            ("passed" if self.passed else "REFUSED")
            if self.judged
            else ("not judged" if self.passed else "REFUSED, too few events")
        )
        return f"{word}: {self.name}: {self.found} (needed: {self.needed})"


@dataclass(frozen=True)
class Promotion:
    """``promoted`` says whether ``version`` now is the champion; ``reasons`` are the gates that refused it."""

    version: str
    run_id: str
    gates: tuple[Gate, ...]
    promoted: bool
    replaced: str | None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(str(gate) for gate in self.gates if not gate.passed)

    def lines(self) -> list[str]:
        """Each gate with its figure, then the decision."""
        decision = "is the champion; run upstream sync to serve it" if self.promoted else "was refused"
        return [*(str(gate) for gate in self.gates), f"version {self.version} {decision}"]


def promote(home: str | Path, settings: Settings, *, by: str, why: str, version: str | None = None) -> Promotion:
    """Put ``version`` (by default the challenger) through the gates; where all hold it becomes the champion.

    The decision is kept as tags of the version either way. Raises StoreAbsent, NoChallenger or NoRun where there is nothing to promote.
    """
    store = tracking.open_store(home, settings.tracking)
    candidate = store.version(CHALLENGER) if version is None else store.find(version)
    gates = tuple(check(store, candidate, settings.promotion))
    passed = all(gate.passed for gate in gates)
    before = _champion(store)
    replaced = before.version if passed and before is not None and before.version != candidate.version else None
    stamp = {
        "promotion.decision": "promoted" if passed else "refused",
        "promotion.by": by,
        "promotion.why": why,
        "promotion.at": datetime.now(UTC).isoformat(timespec="seconds"),
        **{f"promotion.gate.{gate.name}": str(gate) for gate in gates},
    }
    store.tag(candidate.version, stamp)
    if passed:
        if replaced is not None:
            store.alias(PREVIOUS, replaced)
        store.alias(CHAMPION, candidate.version)
    return Promotion(candidate.version, candidate.run_id, gates, passed, replaced)


def rollback(home: str | Path, settings: Settings, *, by: str, why: str) -> tuple[str, str]:
    """The previous champion becomes champion again. Gives (the version that serves now, the version it replaced). Raises NoChampion or NoRun."""
    store = tracking.open_store(home, settings.tracking)
    champion = store.version(CHAMPION)
    try:
        previous = store.version(PREVIOUS)
    except NoRun as error:
        raise NoRun(f"Version {champion.version} is the first champion: there is none to go back to.") from error
    store.alias(CHAMPION, previous.version)
    store.alias(PREVIOUS, champion.version)
    stamp = {"rollback.by": by, "rollback.why": why, "rollback.at": datetime.now(UTC).isoformat(timespec="seconds")}
    store.tag(champion.version, {**stamp, "rollback.to": previous.version})
    return previous.version, champion.version


def evaluation_of(store: Store, version: Version) -> dict[str, Any]:
    """The evaluation of the run that made ``version``, as it was written then."""
    with store.files_of(version.run_id, tracking.EVALUATION) as folder:
        path = folder / "evaluation.json"
        if not path.is_file():
            raise ArtefactAbsent(
                f"Run {version.run_id} has no evaluation.json: train again; a model that was not evaluated is not promoted."
            )
        return json.loads(path.read_text(encoding="utf-8"))


def check(store: Store, version: Version, settings: PromotionSettings) -> list[Gate]:
    """Every gate of ``settings`` for one version, in order."""
    evaluation = evaluation_of(store, version)
    gates = [_bundle_gate(store, version)]
    for name in settings.headline:
        pair = evaluation["pairs"].get(name)
        if pair is None:
            gates.append(Gate(f"{name}.evaluated", "not evaluated", "figures of this outcome and horizon", False))
            continue
        gates += _judge(_pair_gates(name, pair, settings), pair["events"], bool(evaluation["synthetic"]), settings)
    return gates


def _judge(gates: list[Gate], events: int, synthetic: bool, settings: PromotionSettings) -> list[Gate]:
    """The gates as they are where events suffice; else not judged, which passes synthetic data only."""
    if events >= settings.fewest_events:
        return gates
    few = f"; {events} events of the {settings.fewest_events} needed to judge"
    return [Gate(gate.name, gate.found + few, gate.needed, synthetic, judged=False) for gate in gates]


def _bundle_gate(store: Store, version: Version) -> Gate:
    needed = "every file as its hash says"
    try:
        with store.files_of(version.run_id, tracking.BUNDLE) as folder:
            manifest = verify(folder)
    except (BundleError, ArtefactAbsent) as error:
        return Gate("bundle", str(error), needed, False)
    return Gate("bundle", manifest.bundle_id, needed, True)


def _pair_gates(name: str, pair: Mapping[str, Any], settings: PromotionSettings) -> list[Gate]:
    model, rule = pair["contenders"]["model"], pair["contenders"][pair["best_rule"]]
    auroc, slope = _number(model["auroc"]["value"]), _number(model["calibration_slope"]["value"])
    low, high = settings.calibration_slope
    gates = []
    if settings.beats_best_rule:
        bar = _number(rule["auroc"]["value"])
        gates.append(
            Gate(f"{name}.auroc_over_best_rule", f"{auroc:.3f}", f"above {bar:.3f}, {rule['label']}", auroc > bar)
        )
    if settings.capture_at_least is not None:
        captured, bar = (
            _number(model["captured_at_slots"]["value"]),
            _number(rule["captured_at_slots"]["value"]) * settings.capture_at_least,
        )
        gates.append(
            Gate(
                f"{name}.captured_at_slots",
                f"{captured:.3f}",
                f"at least {bar:.3f}, {settings.capture_at_least:g} times that rule's",
                captured >= bar,
            )
        )
    if settings.difference_above is not None:
        lead = pair["over_best_rule"]["captured_at_slots_by_team"]
        low_end = _number(lead["low"])
        gates.append(
            Gate(
                f"{name}.lead_over_best_rule",
                f"lower bound {low_end:.3f} of {_number(lead['value']):.3f}",
                f"above {settings.difference_above:g}: events captured at the same slots, paired, whole teams drawn",
                low_end > settings.difference_above,
            )
        )
    if settings.worst_team_captures is not None:
        worst = _number((pair["worst_team"] or {}).get("captured_at_slots"))
        gates.append(
            Gate(
                f"{name}.worst_team",
                f"{worst:.3f}",
                f"at least {settings.worst_team_captures:g} of its events captured",
                worst >= settings.worst_team_captures,
            )
        )
    gates.append(Gate(f"{name}.calibration_slope", f"{slope:.2f}", f"{low:g} to {high:g}", low <= slope <= high))
    if settings.auroc_at_most is not None:
        gates.append(
            Gate(
                f"{name}.not_too_good",
                f"{auroc:.3f}",
                f"at most {settings.auroc_at_most:g}; above it, look for a leak",
                auroc <= settings.auroc_at_most,
            )
        )
    return gates


def _number(value: float | None) -> float:
    """NaN, which passes no gate, where a figure is not defined."""
    return math.nan if value is None else float(value)


def _champion(store: Store) -> Version | None:
    try:
        return store.version(CHAMPION)
    except NoRun:
        return None
