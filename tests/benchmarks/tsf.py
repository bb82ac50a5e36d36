"""The same 8 window features as timeseriesflattener (docs/speed.md).

Its windows are closed at both ends and carry a time of day, ours are half-open whole days: [as_of - window, as_of).
Its events are therefore put at noon and its prediction times at midnight: an event of the first day of the window lies
half a day inside, one of ``as_of`` itself half a day outside. It knows one clock only, so events are known on the day
they happen.
"""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import WINDOWS, Floor, lines

FROM_FILE_FLOOR, IN_MEMORY_FLOOR = Floor(8.0, 1.0, 1.0), Floor(60.0, 30.0, 5.0)


def load(folder: Path) -> tuple[Any, Any]:
    import polars as pl

    events = pl.read_parquet(folder / "events.parquet", columns=["person", "day", "value"])
    noon = pl.col("day").cast(pl.Datetime("us")) + pl.duration(hours=12)
    events = events.select(entity_id="person", timestamp=noon, value="value")
    spine = pl.read_parquet(folder / "spine.parquet", columns=["person", "as_of"])
    return events, spine.select(entity_id="person", pred_timestamp=pl.col("as_of").cast(pl.Datetime("us")))


def flatten(given: tuple[Any, Any]) -> Any:
    from timeseriesflattener import (
        CountAggregator,
        Flattener,
        PredictionTimeFrame,
        PredictorSpec,
        SumAggregator,
        ValueFrame,
    )

    events, spine = given
    spec = PredictorSpec(
        value_frame=ValueFrame(init_df=events),
        lookbehind_distances=[dt.timedelta(days=window) for window in WINDOWS],
        aggregators=[CountAggregator(), SumAggregator()],
        fallback=0,
    )
    return Flattener(predictiontime_frame=PredictionTimeFrame(init_df=spine)).aggregate_timeseries(specs=[spec]).df


STAGES = (("flatten", flatten),)
FROM_FILE = (load, flatten)


def in_order(frame: Any) -> Any:
    """Values with counts first, rows by person and date, as the spine has them."""
    frame = frame.sort("entity_id", "pred_timestamp")
    names = [f"pred_value_within_0_to_{w}_days_{verb}_fallback_0" for verb in ("count", "sum") for w in WINDOWS]
    return frame.select(names).to_numpy().astype(float)


def run() -> list[dict[str, Any]]:
    return lines("features-tsf", "tsf", FROM_FILE_FLOOR, IN_MEMORY_FLOOR, versions)


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("timeseriesflattener", "polars")}
