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

AIMS = {
    "features-full": 15.0,
    "features-tsf": 15.0,
    "features-tsf-memory": 100.0,
    "features-duckdb": 2.0,
    "train-overhead": 1.05,
    "shapley": 150.0,
    "one-person": 0.2,
    "nightly": 30.0,
    "second-night": 6.0,
    "api-everything": 0.4,
    "api-compact": 1.0,
    "api-at-20-a-second": 0.4,
    "cds": 0.05,
    "fhir": 30.0,
    "worklist-list": 0.08,
    "start-help": 0.2,
    "start-import": 0.7,
    "start-service": 3.0,
    "records-load": 0.5,
}
"""The aims of the design, in what the floor of the line is in. Of overdue care it is half of the rules before."""

TEXT = """# Speed and memory

Made by `docs/generate.py` from `docs/measured/bench.jsonl`, which is what `make bench` printed; do not edit. Two cores, each line from one run, all people simulated. Machines are noisy: read the ratios,
which come from one run, before the seconds. Floors are those of the design; for `load` also a p99 of 0.6 s for a list during nightly runs. Where a line misses its floor the table says so. Machines differ:
the rules of commit 98e9a48 took 18.4 s of processor time on one day and 22.7 s on another (`gaps`), so a floor in seconds may be kept on one and missed on the next.
`features-full` is such a floor: the code of commit 3b61714, for which 24 s were measured elsewhere, took 42 and 51 s (80 and 97 s of processor time, 5,498 MB at most) for its 334 features on this machine on 1 December 2026;
today's took 46 and 45 s (83 and 79 s, 5,166 MB) for the same 334, the same 60,000 people and 52 dates, in turn, and 53 s for all 381.

| benchmark | what | ours | beside | ratio | floor | within | aim | also |
|---|---|---:|---:|---:|---:|---|---:|---|
{rows}

`ratio` is how many times faster than what stands beside it, and for `train-overhead` and `one-person-busy` how many times as long. Run one with `make bench ONLY=features-tsf`.
How builds grow from 5,000 to 200,000 people stands in [spark.md](spark.md), the nightly run's growth in [operations.md](operations.md), exact contributions in full in [scores.md](scores.md).
{fhir}{least}

## Where one request goes

Milliseconds of processor time of one `POST /v1/scores` (one person with two years of history, a simulated trust of {people} people), in one process and without a network: {requests} requests in {rounds} rounds, each figure the median of the rounds' medians, from
`python -m tests.benchmarks.parts HOME`. Before is commit `{commit}`. Before and after ran side by side on one machine, which other work kept busy: parts that nobody changed differ by up to a tenth. A part does not count the parts inside it.

| part | before | after | times |
|---|---:|---:|---:|
{parts}

Over HTTP, beside other work, the fastest tenth of 400 requests took 17.6 ms: 10.9 from the tables of the person to the text of the answer, 0.8 for reading the body, 0.6 for the token and the boundary, 0.6 for the audit event until only
the disk waits, 0.5 for sending and the log line, 0.35 for four changes of thread, and 0.03 of waiting for the disk after all that. Of the 10.9 ms features take about a fifth, and so do gaps, rows read as records, and risks with their
reasons; no single line takes more than 2%.

## What was tried and not taken

- **One request.** One heap, smaller stacks and another rhythm of garbage collection: no difference outside the noise. Two scoring processes save 0.7 to 1.2 ms of a request, and cost a process that holds the model.
- **A second night** copies the rows of people who did not change inside the database, which is a third of its publishing. A temporary table of ids, no index, a cache of 200 MB: no difference (3.4 to 4.3 s for 29,500 people).
  Without checkpoints 2.9 s, but the next writer does them. Without foreign keys 3.1 s, but the check is wanted. Timelines and gaps in tables shared by all runs of a day, as explanations are: at most 1.5 of 4 s, too little for what it asks
  of every reader.
- **A night:** shards staged in the form in which they are published are published no sooner (1.6 to 1.7 s of processor time for 3,103 people before, 1.8 after). Rows copied from the shards' own files by the database (`ATTACH`) take
  0.87 s where 0.73 are taken now, with foreign keys checked.
- **Exact contributions:** [scores.md](scores.md) has the variants and what each took.
- **Trees from the line of the five factors, trends and offsets, larger trees, searches:** these are of the model, [evaluation.md](evaluation.md).
"""

FHIR = """All 60,000 people would take {seconds:,} s ({cpu_seconds:,} s of processor time) and hold {peak_mb:,} MB at
most, at the growth from {people:,} to {more:,} people, which is {slope} MB for 1,000."""

LEAST = """

The least that all features could take: reading the {columns_mb:,} MB of the columns once takes {read_once_s:.2f} s at the speed of this machine's memory, writing the {answer_mb:,} MB of the answer once {write_once_s:.2f} s. The walk
takes {times:.0f} times as long as both. The rest is work: each row moves some hundred windows, due dates and courses on by a week, and writes {features} values one by one."""

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
        least=_least(next(line for line in lines if line["name"] == "features-full")),
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


def _least(line: dict[str, Any]) -> str:
    """How far all features are from what memory allows; nothing for a line that did not measure it."""
    if "read_once_s" not in line:
        return ""
    floor = line["read_once_s"] + line["write_once_s"]
    return LEAST.format(**line, least=floor, times=line["ours"] / floor)


def _row(line: dict[str, Any]) -> str:
    plain = {key: value for key, value in line.items() if not isinstance(value, dict)} | _of_many(line)
    also = ", ".join(words.format(plain[key]) for key, words in _ALSO.items() if plain.get(key) is not None)
    within = {True: "yes", False: "**no**", None: ""}[line["ok"] if line["floor"] is not None else None]
    figures = (f"{line['ours']:,} {line['unit']}", *(_figure(line.get(key)) for key in ("peer", "ratio", "floor")))
    aim = "" if line["floor"] is None else _figure(AIMS.get(line["name"]))
    return f"| `{line['name']}` | {WHAT[line['name']]} | {' | '.join(figures)} | {within} | {aim} | {also} |"


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
