"""The table of ``docs/evaluation.md`` about the learning curve past memory, from ``measured/curve.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured" / "curve.json"


def curve() -> str:
    """AUROC by people in training, and how far the largest sizes lie from what the smaller ones say."""
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    pairs = {name.replace("_", ", "): pair for name, pair in found["pairs"].items()}
    points = next(iter(pairs.values()))["points"]
    sizes = [f"{point['people']:,}" + (f" ({point['draws']} draws)" if point["draws"] > 1 else "") for point in points]
    most = f"{points[-1]['people']:,}"
    fitted_to = f"{next(iter(pairs.values()))['fitted_to']:,}"
    seconds = list(found["seconds_of_processor_time"].values())[-1]
    lines = [
        f"Measured on {found['measured_on']} by `{found['command']}`: {found['rows']:,} rows of other simulated trusts, "
        f"at most {found['rows_a_person']} a person; tested on the test slice of the demo's trust. "
        f"The largest fit took {seconds:.0f} s of processor time; the process held {found['memory_mb']:,} MB at most.",
        "",
        f"| outcome, days | {' | '.join(sizes)} | measured less predicted from up to {fitted_to}: {most} | 200,000, fitted to all | limit |",
        "| --- " * (len(sizes) + 4) + "|",
    ]
    for name, pair in pairs.items():
        reached = " | ".join(f"{point['auroc']['value']:.3f}" for point in pair["points"])
        beside = pair["points"][-1].get("measured_less_predicted")
        misfit = _interval(beside, 4) if beside else ""
        lines.append(f"| {name} | {reached} | {misfit} | {_interval(pair['at_200000'])} | {_interval(pair['limit'])} |")
    return "\n".join(lines)


def _interval(figure: dict[str, Any], digits: int = 3) -> str:
    return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"
