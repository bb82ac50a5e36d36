"""The tables of ``docs/evaluation.md`` about the ceiling, from ``measured/ceiling.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured" / "ceiling.json"


def ceiling() -> str:
    """Oracle, ceiling and model; the distance in parts; the learning curve; and what the filter knows more."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    pairs = {name.replace("_", ", "): pair for name, pair in found["pairs"].items()}
    return "\n\n".join(
        [
            f"Measured on {found['measured_on']} by `{found['command']}`: {found['people']:,} simulated people, "
            f"{found['people_in_training']:,} of them in training. The floor of the last column is "
            f"{found['floor']:.0%}, the aim {found['aim']:.0%}.",
            "\n".join(_where(pairs)),
            "The distance from the oracle to the model, in three parts that add up (AUROC):",
            "\n".join(_parts(pairs)),
            "AUROC on all test rows by people in training, mean of three draws of the smaller sizes; fitted as limit - b / sqrt(people):",
            "\n".join(_curve(pairs)),
            "Share of the variance of the true log odds that is explained by the model, by the ceiling, and by the "
            "model with the filter's belief about one hidden quantity beside it (the three that add most):",
            "\n".join(_beliefs(pairs)),
        ]
    )


def _interval(figure: dict[str, float], digits: int = 3) -> str:
    return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"


def _percent(figure: dict[str, float]) -> str:
    return f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%})"


def _where(pairs: dict[str, Any]) -> list[str]:
    lines = [
        "| synthetic: outcome, days | rows (events) | oracle | ceiling | model | ceiling - model | (ceiling - model) / (ceiling - 0.5) | ceiling and model together | the same share of them | slope of true risk over the filter's; mean risk, filter and true |",
        "| --- " * 10 + "|",
    ]
    for name, pair in pairs.items():
        own, events = pair["filter"], pair.get("event_rows", pair.get("expected_events"))
        lines.append(
            f"| {name} | {pair['rows']:,} ({events:,.0f}) | {_interval(pair['oracle_auroc'])} "
            f"| {_interval(pair['ceiling_auroc'])} | {_interval(pair['model_auroc'])} | {_interval(pair['model_short'])} "
            f"| {_percent(pair['share'])} | {_interval(pair['together_auroc'])} "
            f"| {_percent(pair['share_to_together'])} "
            f"| {own['slope']:.2f}; {own['mean_risk']:.4f}, {own['mean_true_risk']:.4f} |"
        )
    return lines


def _parts(pairs: dict[str, Any]) -> list[str]:
    lines = [
        "| outcome, days | not in the records | too few people (to 200,000) | model |",
        "| --- | --- | --- | --- |",
    ]
    for name, pair in pairs.items():
        parts = pair["split"]
        lines.append(
            f"| {name} | {parts['not_in_the_records']:.3f} | {parts['too_few_people']:.3f} | {parts['model']:.3f} |"
        )
    return lines


def _curve(pairs: dict[str, Any]) -> list[str]:
    sizes = [point["people"] for point in next(iter(pairs.values()))["curve"]["points"]][::-1]
    lines = [
        "| outcome, days | "
        + " | ".join(f"{size:,}" for size in sizes)
        + " | 200,000, extrapolated | largest misfit |",
        "| --- " * (len(sizes) + 3) + "|",
    ]
    for name, pair in pairs.items():
        curve = pair["curve"]
        points = " | ".join(f"{point['auroc']['value']:.3f}" for point in curve["points"][::-1])
        lines.append(f"| {name} | {points} | {_interval(curve['at_200000'])} | {curve['largest_misfit']:.3f} |")
    return lines


def _beliefs(pairs: dict[str, Any]) -> list[str]:
    lines = ["| outcome, days | model | ceiling | model and a belief |", "| --- | --- | --- | --- |"]
    for name, pair in pairs.items():
        found = dict(pair["explained"])
        model, ceiling = found.pop("model"), found.pop("ceiling")
        found.pop("model and ceiling", None)
        most = sorted(found.items(), key=lambda item: -item[1])[:3]
        words = ", ".join(
            f"{belief.removeprefix('model and ').replace('_', ' ')} {share:.2f}" for belief, share in most
        )
        lines.append(f"| {name} | {model:.2f} | {ceiling:.2f} | {words} |")
    return lines
