"""The change control plan, made from the settings: what may change in a served model, by how much, and who decides."""

from __future__ import annotations

from training.settings import Settings


def _number(value: float | None) -> str:
    return "not judged" if value is None else f"{value:g}"


def change_control() -> str:
    """``docs/change_control.md`` from mlflow.yaml."""
    found = Settings.load()
    watching, gates = found.watching, found.promotion
    low, high = watching.slope
    ratio = gates.observed_to_expected
    return f"""# Change control

This page is made from mlflow.yaml by `python docs/generate.py`. It is the predetermined change control plan: each change
to a served model and its bounds are written before it is needed. A change outside the bounds is not made by itself.

## What is watched

Observed against expected events, by the locked scores of `upstream score --silent`. A row counts once its
prediction window has passed and the last {found.outcomes.settling_days} days have settled, and each person at most once
a window. `upstream silent report` shows the result; once a list is live, `upstream model report` and `/monitoring` do, by the
published risks of people who were not reviewed. Two tests read these rows. Both may be read at any time, and both begin again with each model.

| test | what it finds | chance that it ever alarms without a reason |
|---|---|---|
| events in sum | risks that are too low or too high on average | at most {watching.alpha:.0%} while the risks are right |
| slope | risks that are too far apart or too close together, also where their sum is right | at most {watching.slope_alpha:.0%} while the slope is right, whatever the average |

## Steps of repair

The first step that suffices is taken. A step counts only where chance explains the misfit less often than
{watching.step_p:.0%}, and none is taken on fewer than {watching.fewest_events} events. Where the test of the slope alarms, an intercept does not suffice.
The test of events in sum is the quicker one: an intercept may be taken first, and the slope once it shows.

| step | what changes | bounds | who decides |
|---|---|---|---|
| intercept | everybody's log-odds by one number | at most {watching.most_intercept:g} either way | the named owner of the model, after reading the report |
| slope | the spread of the log-odds, with the intercept | slope {low:g} to {high:g} | the same |
| refit | the whole model, trained and compared again | every gate of promotion | as for a new model (`upstream promote`) |

The report names the step and its numbers. It changes no model: a person makes the change and promotes it.

## Gates of a refit

| gate | bound |
|---|---|
| calibration slope | {gates.calibration_slope[0]:g} to {gates.calibration_slope[1]:g} |
| observed over expected | {f"{ratio[0]:g} to {ratio[1]:g}" if ratio else "not judged"} |
| events in the test slice | at least {gates.fewest_events} |
| worst group and worst team | at least {_number(gates.worst_group_at_least)} and {_number(gates.worst_team_at_least)} of everybody's capture |
| AUROC | at most {gates.auroc_at_most:g}; above it, look for a leak |
"""
