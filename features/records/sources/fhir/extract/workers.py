"""Worker processes that read parts of an extract. Each receives its parts as lines of JSON and returns Arrow files.
Nothing is pickled. Keys are passed through a pipe, never as arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pyarrow as pa

from features.records.reading.nhs_numbers import NhsKey
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.extract.batches import Batch
from features.records.sources.fhir.extract.folder import FilePart
from features.records.sources.fhir.extract.parts import Job, Outcome, read_part
from features.records.sources.fhir.references import Identities
from features.records.sources.fhir.scratch import read_rows, write_rows
from features.records.sources.fhir.sink import TABLES


def run_workers(parts: tuple[FilePart, ...], job: Job, workers: int, folder: Path) -> Iterator[Outcome]:
    """Yields the result of each part in order, read by ``workers`` processes. Their tables are files in ``folder``."""
    idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
    started = [_start(job, folder) for _ in range(workers)]
    for process in started:
        idle.put(process)
    try:
        with ThreadPoolExecutor(workers) as pool:
            waiting: list[Future[str]] = []
            ahead = iter(parts)
            for part in ahead:
                waiting.append(pool.submit(_ask, idle, part))
                if len(waiting) >= 2 * workers:
                    yield _answer(waiting.pop(0).result())
            for future in waiting:
                yield _answer(future.result())
    finally:
        for process in started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()


def _start(job: Job, folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, (str(Path(__file__).parents[5]), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {main.__module__} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    key = job.identities.key
    told = {
        "folder": str(folder),
        "key_id": key.key_id if key else None,
        "secret": key.secret.hex() if key else None,
        "link": job.identities.link.hex(),
        "base": job.base,
        "mappings": job.mappings,
        "dmd": job.dmd,
    }
    assert process.stdin is not None
    print(json.dumps(told), file=process.stdin, flush=True)
    return process


def _ask(idle: SimpleQueue[subprocess.Popen[str]], part: FilePart) -> str:
    process = idle.get()
    assert process.stdin is not None and process.stdout is not None
    told = {"path": str(part.path), "kind": part.kind, "start": part.start, "end": part.end, "name": part.name}
    try:
        print(json.dumps(told), file=process.stdin, flush=True)
        answer = process.stdout.readline()
    except OSError:
        answer = ""
    idle.put(process)
    if not answer:
        raise RuntimeError(f"a worker ended while it read {part.path.name}; is there enough memory?")
    return answer


def _answer(line: str) -> Outcome:
    found = json.loads(line)
    if "error" in found:
        _raise(found)
    return [_load(Path(name)) for name in found["batches"]], set(found["deleted"])


def _raise(found: dict[str, Any]) -> None:
    from features.records.problems import RecordsError, RecordsProblem

    raise RecordsError([RecordsProblem(*problem) for problem in found["error"]])


def _save(batch: Batch, path: Path) -> str:
    path.mkdir()
    resources = pa.table(
        {"fate": batch.fates, "kind": batch.kinds, "key": batch.keys, "version": batch.versions, "line": batch.lines}
    )
    for name, table in {**batch.tables, "resources": resources}.items():
        if not isinstance(table, Path) and (len(table) or name == "resources"):
            write_rows(table, path / name)
    told = {
        "unmapped": [[*key, count] for key, count in batch.unmapped.items()],
        "notes": batch.notes,
        "broken": batch.broken,
    }
    (path / "notes.json").write_text(json.dumps(told), encoding="utf-8")
    return str(path)


def _load(path: Path) -> Batch:
    told = json.loads((path / "notes.json").read_text(encoding="utf-8"))
    resources = read_rows(path / "resources").combine_chunks()

    def column(name: str, dtype: type) -> Any:
        return np.array(resources[name].combine_chunks().to_numpy(zero_copy_only=False), dtype)

    return Batch(
        {name: path / name for name in TABLES if (path / name).exists()},
        resources["fate"].combine_chunks(),
        resources["kind"].combine_chunks(),
        column("key", np.uint64),
        column("version", np.int64),
        column("line", np.int32),
        Counter({tuple(key): count for *key, count in told["unmapped"]}),
        Counter(told["notes"]),
        [(line, why) for line, why in told["broken"]],
    )


def main() -> None:
    """Runs a worker. Its first input line is the job; each later line is a part."""
    told = json.loads(sys.stdin.readline())
    key = NhsKey(told["key_id"], bytes.fromhex(told["secret"])) if told["key_id"] else None
    job = Job(Identities(key, bytes.fromhex(told["link"])), told["base"], told["mappings"], told["dmd"])
    book = load_codebook(job.mappings, job.dmd)
    from features.records.problems import RecordsError

    number = 0
    for line in sys.stdin:
        asked = json.loads(line)
        part = FilePart(Path(asked["path"]), asked["kind"], asked["start"], asked["end"], asked["name"])
        answer: dict[str, Any]
        try:
            batches, deleted = read_part(part, job, book)
            names = [_save(b, Path(told["folder"]) / f"{os.getpid()}-{number + i}") for i, b in enumerate(batches)]
            number += len(batches)
            answer = {"batches": names, "deleted": sorted(deleted)}
        except RecordsError as error:
            answer = {"error": [[p.table, p.what, p.expected, p.do] for p in error.problems]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
