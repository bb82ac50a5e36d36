"""The page of what is fast enough: every line that ``make bench`` printed beside its floor (docs/speed.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).resolve().parent / "measured" / "bench.jsonl"
"""What ``make bench`` printed, kept with ``make bench > docs/measured/bench.jsonl``."""
PARTS = MEASURED.with_name("api_parts.json")
"""What ``python -m tests.benchmarks.parts`` printed for an earlier commit (``before``) and for this one (``after``)."""

WHAT = {
    "features-full": "all features, 60,000 people on 52 weekly dates",
    "features-tsf": "8 window features from the file to the values, beside timeseriesflattener, equal values",
    "features-tsf-memory": "the same with the input in memory",
    "features-duckdb": "the same 8 from the file, beside one hand-written DuckDB query",
    "features-duckdb-memory": "the same with the input in memory",
    "spark": "all features on a cluster of real processes (master, two workers), beside one process",
    "train-overhead": "training both outcomes beside bare `lightgbm.train`, same trees",
    "shapley": "exact contributions beside LightGBM's `pred_contrib`",
    "shapley-build": "tabulating the trees of a bundle",
    "one-person": "one row scored and explained, in process",
    "one-person-busy": "the same while other processes keep every core busy",
    "nightly": "nightly run, 60,000 people, Parquet to published worklists",
    "second-night": "a second nightly run of the day, records of 2% of the people changed, beside scoring everybody",
    "simulate": "simulating 60,000 people for 5 years",
    "api-score-only": "a score over HTTP beside `mlflow models serve`, same booster",
    "api-everything": "features, score, reasons, gaps over HTTP beside MLflow's score alone",
    "api-processes": "the same with two scoring processes that share one model",
    "api-compact": "the same without contributions (`?contributions=none`)",
    "api-at-20-a-second": "everything at 20 requests a second, beside MLflow's score alone at that rate",
    "api-500-people": "500 people in one request",
    "load": "50 pharmacists, 500 people scored a minute, 20 hooks a second, texts and two nightly runs at once, PostgreSQL on the same two cores",
    "worklist-list": "a worklist of 500 people as one page",
    "worklist-register": "a register of 500 people as one page",
    "worklist-search": "finding somebody by name among 500 people",
    "cds": "CDS Hooks patient-view at 50 calls a second, each signed anew",
    "limits": "20 pharmacists beside 100 clients without a token that send the worst bodies, under 1 GiB",
    "texts": "a reply by text until the team's page shows it, at 10 a second",
    "start-help": "`upstream --help`, a whole process",
    "start-import": "`from features import CATALOGUE, Records, build`, a whole process",
    "start-service": "the service from nothing to its first answer",
    "records-load": "opening a store of 60,000 people that was read before, beside its first load",
    "gaps": "overdue or missing care of 60,000 people on one day, processor time, beside the rules of commit 98e9a48",
    "fhir": "FHIR NDJSON of 6,000 people (a tenth of 60,000) into a store",
}

TEXT = """# Speed and memory

Made by `docs/generate.py` from `docs/measured/bench.jsonl`, which is what `make bench` printed; do not edit. Two cores, each line from one run, all people simulated. Machines are noisy: read the ratios,
which come from one run, before the seconds. Floors are those of the design; for `load` also a p99 of 0.6 s for a list during nightly runs. Where a line misses its floor the table says so. Machines differ:
the rules of commit 98e9a48 took 18.4 s of processor time on one day and 22.7 s on another (`gaps`), so a floor in seconds may be kept on one and missed on the next.
`features-full` is such a floor: the code of commit 3b61714, for which 24 s were measured elsewhere, took 42 and 51 s (80 and 97 s of processor time, 5,498 MB at most) for its 334 features on this machine on 1 December 2026;
today's took 46 and 45 s (83 and 79 s, 5,166 MB) for the same 334, the same 60,000 people and 52 dates, in turn, and 53 s for all 381.

| benchmark | what | ours | beside | ratio | floor | within | also |
|---|---|---:|---:|---:|---:|---|---|
{rows}

`ratio` is how many times faster than what stands beside it, and for `train-overhead` and `one-person-busy` how many times as long. Run one with `make bench ONLY=features-tsf`.
How builds grow from 5,000 to 200,000 people stands in [spark.md](spark.md), the nightly run's growth in [operations.md](operations.md), exact contributions in full in [scores.md](scores.md).
{fhir}

## Where one request goes

Milliseconds of processor time of one `POST /v1/scores` (one person with two years of history, a simulated trust of {people} people), in one process and without a network: {requests} requests in {rounds} rounds, each figure the median of the rounds' medians, from
`python -m tests.benchmarks.parts HOME`. Before is commit `{commit}`. Before and after ran side by side on one machine, which other work kept busy: parts that nobody changed differ by up to a tenth. A part does not count the parts inside it.

| part | before | after | times |
|---|---:|---:|---:|
{parts}
"""

FHIR = """All 60,000 people would take {seconds:,} s ({cpu_seconds:,} s of processor time) and hold {peak_mb:,} MB at
most, at the growth from {people:,} to {more:,} people, which is {slope} MB for 1,000."""

_ALSO = {
    "people": "{:,} people",
    "features": "{:,} features",
    "rows": "{:,} rows",
    "lines": "{:,} lines",
    "cpu_seconds": "{:,} s of processor time",
    "clients": "clients: {}",
    "cores": "cores: {}",
    "peak_mb": "{:,} MB at most",
    "memory_mb": "{:,} MB held",
    "before_mb": "{:,} MB held before",
    "a_minute_after_mb": "{:,} MB a minute after",
    "memory_ratio": "the other holds {:.2g} times as much memory",
    "p99": "p99 {:.3g}",
    "p99_of_each": "p99 {}",
    "p99_during_nightly_runs": "during nightly runs p99 {}",
    "a_second": "{:,.0f} a second",
    "requests": "{:,} requests",
}


def speed() -> str:
    lines = [json.loads(line) for line in MEASURED.read_text(encoding="utf-8").splitlines()]
    rows = []
    for line in lines:
        rows.append(_row(line))
        if smaller := line.get("smaller"):
            rows.append(_row({**line, **smaller, "ok": None, "floor": smaller.get("floor")}))
    measured = json.loads(PARTS.read_text(encoding="utf-8"))
    return TEXT.format(
        rows="\n".join(rows),
        fhir=_fhir(next(line for line in lines if line["name"] == "fhir")),
        parts="\n".join(_parts(measured["before"], measured["after"])),
        people=measured["people"],
        requests=measured["after"]["requests"],
        rounds=measured["rounds"],
        commit=measured["commit"],
    )


def _parts(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """A row for each part, and one for the whole as it was without timers."""
    for part, took in after["parts"].items():
        yield _part(part, before["parts"][part], took)
    yield _part("the whole, without timers", before["ours"], after["ours"])


def _part(name: str, before: float, after: float) -> str:
    return f"| {name} | {before:.2f} | {after:.2f} | {after / before:.2f} |"


def _fhir(line: dict[str, Any]) -> str:
    """What a tenth and a fifth of 60,000 people say of all of them."""
    most = {name: line["whole"][name] for name in ("seconds", "cpu_seconds", "peak_mb")}
    return FHIR.format(**most, people=line["people"], more=line["fifth"]["people"], slope=line["mb_for_1000_people"])


def _row(line: dict[str, Any]) -> str:
    plain = {key: value for key, value in line.items() if not isinstance(value, dict)} | _of_many(line)
    also = ", ".join(words.format(plain[key]) for key, words in _ALSO.items() if plain.get(key) is not None)
    within = {True: "yes", False: "**no**", None: ""}[line["ok"] if line["floor"] is not None else None]
    figures = (f"{line['ours']:,} {line['unit']}", *(_figure(line.get(key)) for key in ("peer", "ratio", "floor")))
    return f"| `{line['name']}` | {WHAT[line['name']]} | {' | '.join(figures)} | {within} | {also} |"


def _of_many(line: dict[str, Any]) -> dict[str, Any]:
    """Figures that a line gives for several kinds of request, or several moments: of the load, the seconds of
    each kind and the most memory."""
    found = {}
    memory = line.get("memory_mb")
    if isinstance(memory, dict):
        found["memory_mb"] = memory.get("most")
        found |= {f"{moment}_mb": memory.get(moment) for moment in ("before", "a_minute_after")}
    for name, words in (("p99", "p99_of_each"), ("p99_during_nightly_runs", "p99_during_nightly_runs")):
        if isinstance(of_each := line.get(name), dict):
            found[words] = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in sorted(of_each.items()))
    if "ours_all" in line:
        found["a_second"] = line["ours_all"]["a_second"]
    return found


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
