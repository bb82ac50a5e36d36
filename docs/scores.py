"""The page about scores, explanations and bundles: text, with tables made from the code and from the lines that the
benchmarks printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.bundle.manifest import FORMATS_READ
from models.explain.reading_age import READING_AGE
from models.explain.what_if import ACTIONS, LATER_THAN_DAYS, NOTE
from models.risk_model import MARGIN_TOLERANCE
from tests.models.fault_table import FAULTS

MEASURED = Path(__file__).resolve().parent / "measured" / "shapley.jsonl"
"""What ``make bench ONLY=shapley``, ``make bench ONLY=one-person`` and ``python -m tests.benchmarks.shapley_variants``
printed."""

TEXT = """# Scores that add up

Made by `docs/generate.py`; do not edit.

## What a score is

Each outcome has one set of trees that read the features and the horizon. It has one calibration, which is a straight line on the log-odds. So the log-odds of the
probability shown equal the sum of a base, a part for the horizon, and one part for each feature, to 1e-6 in the JSON itself
(`tests/serving/scoring/test_scoring.py::test_every_person_adds_up_in_both_answers` adds up everybody of a trust in both answers). A longer horizon never has a lower risk: a
million random rows show no crossing (`tests/models/test_risk_model.py`). The horizon's part is never a reason.

The parts are exact Shapley values, equal to LightGBM's own. They are checked against arithmetic by hand, the definition over all subsets (small models, and trees that
Hypothesis draws), shap's own code, and LightGBM on 200 random models (`tests/models/shapley/test_explainer.py`). Categorical splits, linear leaves and several classes are
refused. If a tree is too deep for the tables, LightGBM itself explains it, which is slower and equally exact.

## What a reason shows

A reason is the sum over one clinical concept. It lists its features, each with value, unit and the day of the newest row it was read from. It also lists up to five dated rows of
the record, and the age of every source it reads. The rows follow the same two clocks as the features (`features/engine/provenance.py`). A row shows codes and
numbers only. It never shows a diagnosis, or a kind of circumstance that the feature does not read.

Every sentence comes from one table (`features/catalogue/concepts.py`). Its reading age is below {reading_age} by the Automated Readability Index, as computed in
`models/explain/reading_age.py`; `tests/models/explain/test_reading_age.py` checks every sentence. The index is computed for single sentences with a clinical word in them, so it is an upper limit.

## How the estimate changes if overdue care is done

> {note}

The table holds only what a team can do next. Each action is offered only where it is due, and is listed whether the number rises or falls. `tests/models/explain/test_what_if.py` checks the table against the catalogue:
an action changes only inputs that doing it resets (days since, days past due, an open gap), never a count over the past, and never a protected characteristic.

| if … | offered where | changes |
|---|---|---|
{actions}

"Starts again" means that the next due date moves on by the person's own interval (days since the last one less days past due). If it was never done, it is only no longer late.
Collecting medicine is not offered to a person on clozapine or with a long-acting injection, because a clinician must restart clozapine after a gap.

## Limits of a score are shown as flags

There are four flags: history shorter than 90 days, inputs outside the middle 99% of the training rows, outdated sources, and supplies of medicines that are in no table. All four are on the score of the API and
on the person in the nightly run (`tests/serving/scoring/test_scoring.py::test_a_score_flags_old_sources_unknown_medicines_and_unusual_inputs`, `::test_the_nightly_run_counts_unknown_medicines_by_person`).

## The bundle

Every fault in a bundle is refused by name. If publishing is interrupted, the pointer still names a complete bundle. `python -m tests.models.fault_table` runs this table:

| what goes wrong | what happens | tested in |
|---|---|---|
{faults}

Formats {formats} are read. Any other format is refused, and so is a bundle made with a newer major version of LightGBM. The golden rows inside the bundle find any other difference: a
machine that does not reproduce the recorded margins to {tolerance:g} does not serve the bundle.

## Measured

{batches}

{build}

These variants were tried. Each is compared with the code that serves, after a check that both give the same answers (`python -m tests.benchmarks.shapley_variants`):

{variants}

{verdict}

{person}
"""

IN_ONE_RUN = "Microseconds a row on a two-core machine, all in one run. Compare the ratios, not the times. A peer whose time grows with its rows got fewer rows."
NOT_YET = "`make bench ONLY=shapley` times LightGBM, shap and woodelf beside ours on one core and on two, and states the build; its lines belong in `docs/measured/shapley.jsonl`."

VERDICT = """The figures are processor seconds on a quiet machine, in one run.

- Kept: sibling leaves merged into groups of at most 7 splits (a table for every leaf takes 2.4 times as long); blocks of 1,024 rows column by column (256 rows: 1.7 times); a separate path for up to four
  rows (the block loop: 3.1 times); threads over blocks; one byte a value (no slower than doubles here, and an eighth of the memory of a block).
- Rejected: single-precision tables (an eighth faster on batches, but no longer equal to LightGBM to 1e-13); blocks of 4,096 rows (a fifth faster, but a batch of 4,096 would then use one core
  only); larger or smaller groups; and a check whether one person's horizons agree before a table is read (it saves 4 microseconds a row of the half millisecond that one person takes)."""


def scores() -> str:
    lines = [json.loads(line) for line in MEASURED.read_text(encoding="utf-8").splitlines()]

    def named(name: str) -> list[dict[str, Any]]:
        return [line for line in lines if line["name"] == name]

    build, person = named("shapley-build"), [*named("one-person"), *named("one-person-busy")]
    return TEXT.format(
        reading_age=READING_AGE,
        note=NOTE,
        actions="\n".join(_action(action) for action in ACTIONS),
        faults="\n".join(
            f"| {fault} | {then} | {', '.join(f'`{test}`' for test in tests)} |" for fault, then, tests in FAULTS
        ),
        formats=", ".join(map(str, FORMATS_READ)),
        tolerance=MARGIN_TOLERANCE,
        batches=_batches(named("shapley")) if named("shapley") else NOT_YET,
        build="".join(
            f"Tabulating a served bundle of {line['trees']} trees takes {line['ours']} s and {line['table_mb']} MB."
            for line in build
        ),
        variants=_variants(named("shapley-variant")),
        verdict=VERDICT,
        person=_person(*person) if len(person) == 2 else "",
    )


def _action(action: Any) -> str:
    parts = []
    for what, names in (
        ("0 days since", action.since),
        ("starts again", [name for name, _ in action.due]),
        ("one less", action.fewer),
        ("ended", action.ended),
    ):
        if names:
            parts.append(f"{what}: {', '.join(f'`{name}`' for name in names)}")
    above = f" above {LATER_THAN_DAYS}" if action.above else " above 0"
    return f"| {action.label} | {' or '.join(f'`{name}`' for name in action.offered)}{above} | {'; '.join(parts)} |"


def _batches(lines: list[dict[str, Any]]) -> str:
    head = ["rows", "cores", "ours", "LightGBM", "times", "shap", "shap's own code", "woodelf", "times"]
    rows = [IN_ONE_RUN, "", "| " + " | ".join(head) + " |", "|" + "---:|" * len(head)]
    for line in sorted(lines, key=lambda line: (line["cores"], line["rows"])):
        cells = [f"{line['rows']:,}", line["cores"], line["ours"]]
        cells += [line.get(key, "") for key in ("peer", "ratio", "shap", "shap_own_code", "woodelf", "woodelf_ratio")]
        rows.append("| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _variants(lines: list[dict[str, Any]]) -> str:
    rows = ["| rows | variant | time against served | tables, MB | largest difference |", "|---:|---|---:|---:|---:|"]
    rows += [
        f"| {line['rows']:,} | {line['variant']} | {line['times_as_served']} | {line['table_mb']} | {line['largest_difference']:.0e} |"
        for line in lines
    ]
    return "\n".join(rows)


def _person(alone: dict[str, Any], busy: dict[str, Any]) -> str:
    return (
        f"One person, both outcomes at all horizons, with reasons, in process: {alone['ours']} ms (99th percentile {alone['p99']} ms). With "
        f"{busy['busy_processes']} other processes keeping every core busy: {busy['ours']} ms, {busy['ratio']} times as long (99th percentile {busy['p99_ratio']} times)."
    )
