"""Tables of the evidence file, each made from the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from training.evaluation.page import figure, headline, percent, words
from training.evaluation.schema.evaluation import Evaluation
from training.evaluation.schema.pair import Pair
from training.evaluation.schema.scores import ShownLevel


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows)])


def _pair(pair: Pair) -> str:
    return f"{pair.outcome} within {pair.horizon} days"


def performance(it: Evaluation) -> str:
    heads = (
        "Outcome",
        "Events (rows)",
        "Prevalence",
        "AUROC",
        "over the best rule",
        "Average precision",
        "Scaled Brier",
        "Calibration slope",
        "Observed / expected",
        "ICI",
    )
    rows = []
    for pair in it.pairs.values():
        m = pair.model
        rows.append(
            (
                _pair(pair),
                f"{pair.events} ({pair.event_rows} of {pair.rows})",
                percent(pair.prevalence, 1),
                figure(m.auroc),
                figure(pair.over_best_rule.auroc),
                figure(m.average_precision),
                figure(m.scaled_brier),
                figure(m.calibration_slope, 2),
                figure(m.observed_to_expected, 2),
                figure(m.ici, 4),
            )
        )
    return table(heads, rows)


def regret(it: Evaluation) -> str:
    rows = [
        (
            _pair(p),
            figure(p.oracle.oracle_auroc),
            figure(p.oracle.model_auroc),
            figure(p.oracle.regret),
            figure(p.oracle.mean_absolute_error, 4),
        )
        for p in it.pairs.values()
        if p.oracle
    ]
    heads = ("Outcome", "Oracle AUROC", "Model AUROC, same rows", "Regret", "Mean distance from the true risk")
    return table(heads, rows) if rows else "No oracle: the truth of these data is not known."


def capacity(it: Evaluation) -> str:
    rows = []
    for pair in it.pairs.values():
        for slots, found in pair.capacity.slots.items() if pair.capacity else ():
            rows.append(
                (
                    _pair(pair),
                    slots,
                    percent(found.with_cool_off.captured),
                    figure(found.captured_over_best_rule, 2),
                    figure(found.with_cool_off.number_needed_to_review, 0),
                    percent(found.as_listed.flagged_a_week_before),
                    percent(found.as_listed.new_information),
                )
            )
    heads = (
        "Outcome",
        "Reviews a team and week",
        "Events reached",
        "over the best rule",
        "Reviews to find one event",
        "Flagged a week before",
        "News to the team",
    )
    return table(heads, rows) if rows else "Weekly lists were not evaluated in this run."


def groups(it: Evaluation) -> str:
    rows = []
    for name in headline(it):
        pair = it.pairs[name]
        for part in [pair.teams, *pair.groups]:
            for level in part.levels:
                if not isinstance(level, ShownLevel):
                    rows.append((_pair(pair), part.label, words(level.level), "suppressed", "", "", ""))
                else:
                    mark = "" if level.enough_events else " (too few to judge)"
                    rows.append(
                        (
                            _pair(pair),
                            part.label,
                            words(level.level),
                            f"{level.events}{mark}",
                            figure(level.auroc, 2),
                            percent(level.captured_at_slots),
                            figure(level.observed_to_expected, 2),
                        )
                    )
    return table(("Outcome", "Group", "Level", "Events", "AUROC", "Captured at the slots", "Observed / expected"), rows)


def gaps(it: Evaluation) -> str:
    rows = []
    for name in headline(it):
        pair = it.pairs[name]
        worst = pair.worst_group
        if worst:
            rows.append(
                (
                    _pair(pair),
                    f"least captured: {worst.group}, {words(worst.level)}",
                    percent(worst.captured_at_slots),
                    f"{worst.events} events",
                )
            )
        for part in pair.groups:
            gap = part.sensitivity_gap
            if gap and not gap.within_tolerance:
                rows.append(
                    (
                        _pair(pair),
                        f"{part.label}: {words(gap.worst)} below {words(gap.best)}",
                        figure(gap.gap, 2),
                        "more than the tolerance",
                    )
                )
        for row in pair.unequal_calibration:
            rows.append(
                (
                    _pair(pair),
                    f"{row.group}, {words(row.level)}: observed / expected",
                    figure(row.ratio, 2),
                    "outside equal calibration",
                )
            )
    return table(("Outcome", "What", "Figure", "Note"), rows) if rows else "No group had events enough to be judged."


def heterogeneity(it: Evaluation) -> str:
    rows = [
        (
            _pair(p),
            str(p.across_teams.teams),
            f"{p.across_teams.auroc:.3f}",
            f"{p.across_teams.prediction_low:.3f} to {p.across_teams.prediction_high:.3f}",
        )
        for p in it.pairs.values()
        if p.across_teams
    ]
    heads = ("Outcome", "Teams with events enough", "AUROC over teams", "Where a new team's would lie")
    return table(heads, rows) if rows else "Fewer than three teams had events enough."


def stability(it: Evaluation) -> str:
    rows = [
        (
            _pair(p),
            str(p.stability.refits),
            figure(p.stability.median_jaccard_top25, 2),
            figure(p.stability.mean_absolute_prediction_error, 4),
            percent(p.stability.top_three_concepts_agree),
        )
        for p in it.pairs.values()
        if p.stability
    ]
    heads = ("Outcome", "Refits", "Top 25 shared", "Mean distance of a risk", "Top concepts that agree")
    return table(heads, rows) if rows else "No refits were made in this run."


def competing_events(it: Evaluation) -> str:
    rows = [
        (
            _pair(p),
            *(percent(share, 2) for share in (c.event, c.died, c.left, c.under_way, c.if_nobody_left)),
            percent(c.of_those_who_stayed, 2),
            percent(c.mean_risk, 2),
            figure(c.observed_to_expected, 2),
            figure(c.observed_to_expected_of_those_who_stayed, 2),
        )
        for p in it.pairs.values()
        if (c := p.cumulative_incidence)
    ]
    heads = (
        "Outcome",
        "Event first",
        "Died first",
        "Left first",
        "Already under way",
        "Event, if nobody left",
        "Event, of those who stayed",
        "Model's mean risk",
        "Event first / mean risk",
        "Of those who stayed / mean risk",
    )
    return table(heads, rows) if rows else "Cumulative incidence was not evaluated in this run."


def sample_size(it: Evaluation) -> str:
    rows = []
    for pair in it.pairs.values():
        found = pair.sample_size
        if found:
            asked = found.needed
            rows.append(
                (
                    _pair(pair),
                    f"{found.people:,}; {found.events:,}",
                    f"{asked.people:,}; {asked.events:,}" if asked else "–",
                    "yes" if found.enough else "no",
                    str(found.parameters_supported),
                )
            )
    return table(("Outcome", "People; events in training", "Asked for", "Enough", "Parameters supported"), rows)


def slices(it: Evaluation) -> str:
    rows = [
        (r.slice, r.first or "–", r.last or "–", f"{r.landmarks}", f"{r.rows:,}", f"{r.people:,}") for r in it.slices
    ]
    return table(("Slice", "First day", "Last day", "Landmarks", "Rows", "People"), rows)


def attrition(it: Evaluation) -> str:
    return table(("Rule", "Removed", "Left"), [(r.step, f"{r.removed:,}", f"{r.left:,}") for r in it.attrition or ()])


def censoring(it: Evaluation) -> str:
    rows = [(r.outcome, str(r.horizon), r.status, f"{r.rows:,}") for r in it.censoring]
    return table(("Outcome", "Days", "Label, or why there is none", "Rows"), rows)


def drift(it: Evaluation) -> str:
    found = it.drift
    if not found:
        return "Drift was not evaluated in this run."
    rows = [
        (words(r.feature), figure(r.index, 2), percent(r.missing_before), percent(r.missing_after))
        for r in found.largest[:10]
    ]
    return table(("Input", "Stability index", "Missing in training", "Missing in test"), rows)


TABLES: dict[str, Callable[[Evaluation], str]] = {
    one.__name__: one
    for one in (
        performance,
        regret,
        capacity,
        groups,
        gaps,
        heterogeneity,
        stability,
        competing_events,
        sample_size,
        slices,
        attrition,
        censoring,
        drift,
    )
}
