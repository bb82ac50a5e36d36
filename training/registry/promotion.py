"""Promotion: a challenger becomes champion only if it passes the gates of mlflow.yaml. Who decided, and why, is
recorded.

Every gate reads ``evaluation.json`` of the run that made the version: no figure is typed in. No gate can be
overridden.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from features.leakage.statement import JSON_NAME as STATEMENT
from models.errors import BundleError
from models.publishing import verify
from models.signing import SigningKey
from training.errors import ArtefactAbsent, NoRun, Withdrawn
from training.evaluation.fairness.group_shortfall import ALONE, ANY, Level, levels_of
from training.evaluation.fairness.groups import UNKNOWN
from training.evaluation.schema.evaluation import Evaluation
from training.evaluation.schema.pair import LeadAtSlots, Pair, Stability
from training.evaluation.schema.scores import Figure
from training.registry import history, signatures, tracking
from training.registry.comparison import FILE as COMPARISON_FILE
from training.registry.release_checks import EXPOSURE, LATENCY
from training.registry.tracking import CHALLENGER, CHAMPION, PREVIOUS, Store, Version
from training.settings import PromotionSettings, Settings

LOGGED = "who was listed and reviewed is logged for rows after a list went live"


@dataclass(frozen=True)
class Gate:
    """One condition: the figure found, the figure needed, and whether the condition holds.

    ``judged`` is False if the test slice holds too few events to tell. On synthetic data such a gate is shown and does
    not refuse, because a small demo must run and its model is not used for real people. On real data it refuses.
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
    """``promoted`` is True if ``version`` is now the champion; ``reasons`` are the gates that refused it.
    ``settings_sha256`` is the hash of the gates.
    """

    version: str
    run_id: str
    gates: tuple[Gate, ...]
    promoted: bool
    replaced: str | None
    settings_sha256: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(str(gate) for gate in self.gates if not gate.passed)

    @property
    def summary(self) -> str:
        """How many gates passed, and how many could not be judged."""
        judged = [gate for gate in self.gates if gate.judged]
        unjudged = len(self.gates) - len(judged)
        passed = f"{sum(gate.passed for gate in judged)} of {len(self.gates)} gates passed"
        return passed + (f", {unjudged} not judged: too few events" if unjudged else "")

    def lines(self) -> list[str]:
        """Each gate with its figure, then the decision."""
        decision = "is the champion; run upstream sync to serve it" if self.promoted else "was refused"
        return [*(str(gate) for gate in self.gates), f"version {self.version} {decision}"]


def promote(
    home: str | Path,
    settings: Settings,
    *,
    by: str,
    why: str,
    version: str | None = None,
    signing_key: SigningKey | None = None,
) -> Promotion:
    """Checks ``version`` (by default the challenger) against the gates; if it passes all, it becomes the champion.

    The decision, the gates and the hash of their settings are kept with the version, and added to its history, either
    way. With a ``signing_key`` the bundle of a version that passes is signed; ``sync`` brings the signature along.
    Raises StoreAbsent, NoChallenger or NoRun where there is nothing to promote.
    """
    store = tracking.open_store(home, settings.tracking)
    candidate = store.version(CHALLENGER) if version is None else store.find(version)
    before = _champion(store)
    gates = (
        *check(store, candidate, settings.promotion, before),
        *_champion_gates(store, candidate, before, settings.promotion),
    )
    passed = all(gate.passed for gate in gates)
    replaced = before.version if passed and before is not None and before.version != candidate.version else None
    stamp = {
        "promotion.decision": "promoted" if passed else "refused",
        "promotion.by": by,
        "promotion.why": why,
        "promotion.at": _now(),
        "promotion.settings_sha256": settings.promotion.sha256,
        **{f"promotion.gate.{gate.name}": str(gate) for gate in gates},
    }
    if passed and signing_key is not None:
        with store.files_of(candidate.run_id, tracking.BUNDLE) as folder:
            stamp |= signatures.tag(verify(folder), signing_key, by)
    store.tag(candidate.version, stamp)
    refused_by = [gate.name for gate in gates if not gate.passed]
    decision = {"decision": stamp["promotion.decision"], "by": by, "why": why, "refused_by": refused_by}
    history.add(store, candidate, {**decision, "settings_sha256": settings.promotion.sha256})
    if passed:
        if replaced is not None:
            store.alias(PREVIOUS, replaced)
        store.alias(CHAMPION, candidate.version)
    return Promotion(candidate.version, candidate.run_id, gates, passed, replaced, settings.promotion.sha256)


class RolledBack(NamedTuple):
    """The version that is champion now, and the one it replaced."""

    champion: str
    withdrawn: str


def withdrawn_before(home: str | Path, settings: Settings) -> str | None:
    """A warning if a rollback itself withdrew the version that this rollback would bring back; else None."""
    store = tracking.open_store(home, settings.tracking)
    try:
        previous = store.version(PREVIOUS)
    except NoRun:
        return None
    decisions = history.of(previous)
    last = decisions[-1] if decisions else {}
    if last.get("decision") != "withdrawn":
        return None
    return (
        f"Version {previous.version} was withdrawn at {last.get('at')} by {last.get('by')} ({last.get('why')}): this "
        f"rollback would bring it back."
    )


def rollback(home: str | Path, settings: Settings, *, by: str, why: str, again: bool = False) -> RolledBack:
    """Makes the previous champion the champion again, and records it in both versions' histories.

    Raises NoChampion or NoRun if there is none to go back to, and Withdrawn if a rollback had withdrawn that version,
    unless ``again`` is set.
    """
    warning = withdrawn_before(home, settings)
    if warning is not None and not again:
        raise Withdrawn(f"{warning} Promote another version or, if it is wanted back, roll back with --again.")
    store = tracking.open_store(home, settings.tracking)
    champion = store.version(CHAMPION)
    try:
        previous = store.version(PREVIOUS)
    except NoRun as error:
        raise NoRun(f"Version {champion.version} is the first champion: there is none to go back to.") from error
    store.alias(CHAMPION, previous.version)
    store.alias(PREVIOUS, champion.version)
    stamp = {"rollback.by": by, "rollback.why": why, "rollback.at": _now()}
    store.tag(champion.version, {**stamp, "rollback.to": previous.version})
    history.add(store, champion, {"decision": "withdrawn", "by": by, "why": why, "replaced_by": previous.version})
    history.add(store, previous, {"decision": "restored", "by": by, "why": why, "replaces": champion.version})
    return RolledBack(previous.version, champion.version)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def evaluation_of(store: Store, version: Version) -> Evaluation:
    """The evaluation written by the run that made ``version``."""
    with store.files_of(version.run_id, tracking.EVALUATION) as folder:
        path = folder / "evaluation.json"
        if not path.is_file():
            raise ArtefactAbsent(
                f"Run {version.run_id} has no evaluation.json: train again; a model that was not evaluated is not "
                f"promoted."
            )
        return Evaluation.read(path.read_bytes())


def check(store: Store, version: Version, settings: PromotionSettings, champion: Version | None = None) -> list[Gate]:
    """Every gate of ``settings`` for one version, in order. ``champion`` is the version that it would replace."""
    evaluation = evaluation_of(store, version)
    synthetic = evaluation.synthetic
    gates = [_bundle_gate(store, version), *_check_gates(store, version, evaluation.data_hash, settings)]
    trained_under = _headline_of_run(store, version)
    for name in dict.fromkeys((*settings.headline, *trained_under)):
        pair = evaluation.pairs.get(name)
        outcome = name.rpartition("_")[0]
        own = settings.of(outcome)
        if pair is None and (why := (evaluation.left_out or {}).get(outcome)):
            gates.append(_left_out_gate(name, outcome, why, evaluation, _pairs_of(store, version, champion)))
            continue
        if pair is None:
            gates.append(Gate(f"{name}.evaluated", "not evaluated", "figures of this outcome and horizon", False))
            continue
        found = _pair_gates(name, pair, own) + _worst_gates(name, pair, synthetic, own)
        gates += _judge(found, pair.events, synthetic, own.fewest_events)
        if own.difference_above is not None:
            gates.append(_lead_gate(name, pair.lead, synthetic, own))
    return gates


def _pairs_of(store: Store, version: Version, champion: Version | None) -> Mapping[str, Pair]:
    """The pairs that the champion predicts, if ``version`` would replace it."""
    if champion is None or champion.version == version.version:
        return {}
    return evaluation_of(store, champion).pairs


def _left_out_gate(name: str, outcome: str, why: str, evaluation: Evaluation, served: Mapping[str, Pair]) -> Gate:
    """An outcome with too few events is not part of the model, so there is nothing to judge. The gate refuses if the
    champion predicts this outcome, because promotion would end the prediction, or if nothing else was trained."""
    needed = "the champion does not predict it either"
    if any(pair.outcome == outcome for pair in served.values()):
        return Gate(f"{name}.evaluated", f"the champion predicts it. {why}", needed, False)
    return Gate(f"{name}.evaluated", why, needed, bool(evaluation.pairs), judged=False)


def _headline_of_run(store: Store, version: Version) -> tuple[str, ...]:
    """The pairs that the run named as its headline: promotion may add pairs, but never checks fewer."""
    try:
        with store.files_of(version.run_id, "settings") as folder:
            found = yaml.safe_load((folder / "mlflow.yaml").read_text(encoding="utf-8"))
    except (ArtefactAbsent, OSError):
        return ()
    return tuple(found.get("promotion", {}).get("headline", ()))


def _champion_gates(
    store: Store, version: Version, champion: Version | None, settings: PromotionSettings
) -> list[Gate]:
    """One gate per pair of the headline: not worse than the champion on the same rows, by more than chance."""
    if not settings.not_worse_than_champion or champion is None or champion.run_id == version.run_id:
        return []
    needed = "AUROC not below the champion's on the same rows by more than chance"
    synthetic = evaluation_of(store, version).synthetic
    try:
        with store.files_of(version.run_id, tracking.COMPARISON) as folder:
            beside = json.loads((folder / COMPARISON_FILE).read_text(encoding="utf-8"))
    except (ArtefactAbsent, OSError):
        beside = {}
    if str(beside.get("champion")) != champion.version:
        absent = f"not compared with version {champion.version}: train again with --compare champion"
        return [Gate("not_worse_than_champion", absent, needed, synthetic, judged=False)]
    gates = []
    for name in settings.headline:
        pair = beside["pairs"].get(name)
        if pair is None:
            continue
        gap = pair["auroc"]["difference"]
        found = f"{_number(gap['value']):+.3f} ({_number(gap['low']):+.3f} to {_number(gap['high']):+.3f})"
        worse = _number(gap["high"]) < 0
        gates.append(
            Gate(f"{name}.not_worse_than_champion", f"{found} beside version {champion.version}", needed, not worse)
        )
    return gates


def _judge(gates: list[Gate], events: int, synthetic: bool, fewest: int) -> list[Gate]:
    """The gates unchanged if there are enough events; otherwise marked not judged, which passes only on synthetic
    data.
    """
    if events >= fewest:
        return gates
    few = f"; {events} events of the {fewest} needed to judge"
    return [Gate(gate.name, gate.found + few, gate.needed, synthetic, judged=False) for gate in gates]


def _bundle_gate(store: Store, version: Version) -> Gate:
    needed = "every file as its hash says"
    try:
        with store.files_of(version.run_id, tracking.BUNDLE) as folder:
            manifest = verify(folder)
    except (BundleError, ArtefactAbsent) as error:
        return Gate("bundle", str(error), needed, False)
    return Gate("bundle", manifest.bundle_id, needed, True)


def _check_gates(store: Store, version: Version, data_hash: str, settings: PromotionSettings) -> list[Gate]:
    """The leakage proof, the latency of the bundle and the exposure log, as the run found them."""
    proof = "a statement on the data that trained, without a difference"
    quick = f"at most {settings.one_row_ms_at_most:g} ms, one row scored and explained"
    try:
        with store.files_of(version.run_id, tracking.CHECKS) as folder:
            statement = json.loads((folder / STATEMENT).read_text(encoding="utf-8"))
            timed = json.loads((folder / LATENCY).read_text(encoding="utf-8"))
            exposed = json.loads((folder / EXPOSURE).read_text(encoding="utf-8"))
    except (ArtefactAbsent, OSError, ValueError) as error:
        absent = f"not attached to the run ({type(error).__name__}): train again"
        return [
            Gate("leak_proof", absent, proof, False),
            Gate("latency", absent, quick, False),
            Gate("exposure", absent, LOGGED, False),
        ]
    same = statement["data_hash"] == data_hash
    found = f"{statement['checks']:,} checks: {statement['verdict']}" if same else "a statement on other data"
    holds = same and bool(statement["holds"]) and not statement["differences"] and statement["checks"] > 0
    middle = float(timed["median_ms"])
    return [
        Gate("leak_proof", found, proof, holds),
        Gate("latency", f"{middle:.2f} ms", quick, middle <= settings.one_row_ms_at_most),
        Gate("exposure", exposed["problem"] or _exposure_words(exposed), LOGGED, not exposed["problem"]),
    ]


def _exposure_words(exposed: dict[str, Any]) -> str:
    if not exposed["rows_after"]:
        return "no row after a list went live"
    return f"{exposed['rows_after']:,} rows after {exposed['live_from']}, {exposed['exposed_rows']:,} of them exposed"


def _pair_gates(name: str, pair: Pair, settings: PromotionSettings) -> list[Gate]:
    model, rule = pair.model, pair.rule
    auroc, slope = _number(model.auroc.value), _number(model.calibration_slope.value)
    low, high = settings.calibration_slope
    gates = []
    if settings.beats_best_rule:
        bar = _number(rule.auroc.value)
        gates.append(
            Gate(f"{name}.auroc_over_best_rule", f"{auroc:.3f}", f"above {bar:.3f}, {rule.label}", auroc > bar)
        )
    if settings.capture_at_least is not None:
        gates.append(_capture_gate(name, pair.lead, settings.capture_at_least))
    gates.append(Gate(f"{name}.calibration_slope", f"{slope:.2f}", f"{low:g} to {high:g}", low <= slope <= high))
    if settings.observed_to_expected is not None:
        gates.append(_ratio_gate(name, model.observed_to_expected, settings.observed_to_expected))
    if settings.stability_at_least is not None:
        gates.append(_stability_gate(name, pair.stability, settings.stability_at_least))
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


def _ratio_gate(name: str, ratio: Figure, bounds: tuple[float, float]) -> Gate:
    """Events observed over events expected. Refused outside ``bounds`` if the interval excludes 1, so only if the
    deviation is more than chance.
    """
    found, low, high = _number(ratio.value), _number(ratio.low), _number(ratio.high)
    inside = bounds[0] <= found <= bounds[1]
    luck = low <= 1 <= high
    needed = f"{bounds[0]:g} to {bounds[1]:g}, or an interval that holds 1"
    return Gate(f"{name}.observed_to_expected", f"{found:.2f} ({low:.2f} to {high:.2f})", needed, inside or luck)


def _capture_gate(name: str, lead: LeadAtSlots | None, least: float) -> Gate:
    gate = f"{name}.captured_at_slots"
    if lead is None:
        return Gate(gate, "no event to find", f"at least {least:g} times the best simple rule's", False)
    found, bar = _number(lead.model.value), _number(lead.rule_found.value) * least
    return Gate(gate, f"{found:.3f}", f"at least {bar:.3f}, {least:g} times that of {lead.rule_label}", found >= bar)


def _lead_gate(name: str, lead: LeadAtSlots | None, synthetic: bool, settings: PromotionSettings) -> Gate:
    """Better than the best simple rule at the same number of reviews, by more than chance between teams
    (docs/methods.md section 5).

    The interval decides between three results: all above ``difference_above`` is a lead; all below ``smallest_lead``
    is no useful lead; otherwise these events cannot tell, which refuses on real data and passes on synthetic data.
    """
    above, worth = settings.difference_above or 0.0, settings.smallest_lead
    gate, needed = (
        f"{name}.lead_over_best_rule",
        f"above {above:g}: share of events found at the same slots, paired, whole teams drawn",
    )
    if lead is None:
        return Gate(gate, "no event to find", needed, synthetic, judged=False)
    gap = lead.difference
    low, high = _number(gap.low), _number(gap.high)
    slots = ", ".join(str(number) for number in lead.slots)
    found = (
        f"lower bound {low:.3f} of {_number(gap.value):.3f}: {lead.model.value:.3f} found against "
        f"{lead.rule_found.value:.3f} "
        f"by {lead.rule_label} (chosen on {lead.rule_chosen_on}), over {slots} slots"
    )
    if low > above or high < worth:
        return Gate(gate, found, needed, low > above)
    unsure = f"; {lead.events} events rule out neither no lead nor one of {worth:g} (upper bound {high:.3f})"
    return Gate(gate, found + unsure, needed, synthetic, judged=False)


def _worst_gates(name: str, pair: Pair, synthetic: bool, settings: PromotionSettings) -> list[Gate]:
    """No group and no team may be found clearly less often than everyone (``evaluation/fairness/group_shortfall.py``).
    Groups are judged at the reviews that teams really have. Teams are judged at the same share of each caseload,
    because a team's review capacity is not a property of the model."""
    own = pair.model.captured_at_slots
    equal = pair.equal_share.captured if pair.equal_share else None
    gates = []
    for gate, least, partitions, everyone, figure in (
        ("worst_group", settings.worst_group_at_least, pair.groups, own, "captured_at_slots"),
        ("worst_team", settings.worst_team_at_least, [pair.teams], equal, "captured_at_equal_share"),
    ):
        if least is None:
            continue
        levels = levels_of(partitions, everyone, pair.events, figure, UNKNOWN) if everyone else []
        gates.append(_worst_gate(f"{name}.{gate}", levels, least, settings.far_below, synthetic))
    return gates


def _worst_gate(gate: str, levels: list[Level], least: float, far_below: float, synthetic: bool) -> Gate:
    needed = (
        f"none below {least:g} of everyone's by more than luck ({ANY:.0%} over all judged), "
        f"none below {far_below:g} of everyone's by more than its own luck ({ALONE:.1%})"
    )
    if not levels:
        return Gate(gate, "no group or team with enough events to judge", needed, synthetic, judged=False)
    behind = [level for level in levels if level.left_behind(least, far_below)]
    worst = (behind or levels)[0]
    found = (
        f"{worst.found:.3f} of {worst.events} events of {worst.name} captured, {worst.share:.2f} of everyone's; "
        f"by luck alone {worst.alone:.3f}, in some one of {len(levels)} judged {worst.any:.2f}"
    )
    return Gate(gate, found + (f"; {len(behind)} left behind" if len(behind) > 1 else ""), needed, not behind)


def _stability_gate(name: str, stability: Stability | None, least: float) -> Gate:
    gate, needed = f"{name}.stability", f"median overlap of the top 25 over refits at least {least:g}"
    if not stability:
        return Gate(gate, "not measured: no refits", needed, False)
    found = _number(stability.median_jaccard_top25.value)
    return Gate(gate, f"{found:.2f} over {stability.refits} refits", needed, found >= least)


def _number(value: float | None) -> float:
    """NaN for a figure that is not defined, which passes no gate."""
    return math.nan if value is None else float(value)


def _champion(store: Store) -> Version | None:
    try:
        return store.version(CHAMPION)
    except NoRun:
        return None
