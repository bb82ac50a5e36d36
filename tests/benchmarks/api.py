"""``POST /v1/scores`` at 1, 2 and 8 clients and at 20 requests a second, beside ``mlflow models serve`` with the same
booster, in one run.

Score only for both first: a vector of features in, one probability out of ``mlflow models serve``; the same vector in,
both outcomes at all horizons out of our model behind the same web server. Then ours with everything: two years of a
person's history in, features, scores, contributions, reasons, care gaps and flags out. Servers and clients share this
machine, so the ratios say more than the times. Everything is synthetic.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from features import Records
from features.engine.caseload import caseload
from features.records import day_of
from serving.nightly.run import latest_as_of
from serving.security.tokens import issue_token
from tests.benchmarks.measure import family, line, shared_mb
from tests.conftest import free_port, upstream
from tests.faults.processes import served

PATIENTS, SECONDS, CLIENTS, RATE = 600, 8.0, (1, 2, 8), 20
TIMES_P50, TIMES_P99, MANY_FLOOR_S = 4.0, 5.0, 3.0
"""How many times as long as MLflow's bare score a whole answer may take: with one client, and at ``RATE`` a second."""
PROCESSES = 2
BESIDE = {"UPSTREAM_SCORING_PROCESSES": str(PROCESSES)}
EVENT_DAY = {"contacts": "contact_on", "supplies": "supplied_on", "results": "taken_on", "stays": "admitted_on"}
VECTOR = """
import sys, json, numpy as np, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from models import RiskModel
model = RiskModel.load(sys.argv[1])
async def invocations(request):
    rows = np.array(json.loads(await request.body())["inputs"], dtype=np.float64)
    found = model.score(rows[:, :-1], contributions=False, names=model.feature_names)
    return JSONResponse({name: found[name].probability.tolist() for name in found})
async def ping(request):
    return JSONResponse({})
app = Starlette(routes=[Route("/invocations", invocations, methods=["POST"]), Route("/ping", ping)])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
"""


def bodies_of(home: Path, most: int = 60) -> list[dict[str, Any]]:
    """One request a person: two years of history as JSON."""
    records = Records.load(home / "store")
    day = latest_as_of(records)
    first = pd.Timestamp(day - dt.timedelta(days=730))
    found = []
    for person in caseload(records, day_of(day)).spine["patient_id"].tolist()[:most]:
        tables = {}
        for name, table in records.tables.items():
            if not table.spec.per_patient:
                continue
            frame = records.select([person])[name].drop(columns="patient_id")
            if name in EVENT_DAY:
                frame = frame[frame[EVENT_DAY[name]] >= first]
            tables[name] = json.loads(frame.to_json(orient="records", date_format="iso"))
            for row in tables[name]:
                for column, value in row.items():
                    if table.spec.column(column).kind == "date" and value is not None:
                        row[column] = value[:10]
        found.append({"as_of": day.isoformat(), "people": [{"patient_id": person, "tables": tables}]})
    return found


def another(person: dict[str, Any], name: str) -> dict[str, Any]:
    """The same history as another person's, under ids of its own: rows whose id was used before would be set aside,
    and not scored on."""
    tables = {
        table: [
            row | {key: f"{name}-{row[key]}" for key in ("contact_id", "referral_id") if key in row} for row in rows
        ]
        for table, rows in person["tables"].items()
    }
    return {"patient_id": name, "tables": tables}


def ask(
    address: str, path: str, bodies: list[bytes], clients: int, seconds: float, headers: dict[str, str]
) -> dict[str, Any]:
    """Each client asks again as soon as it is answered: p50 and p99 in milliseconds, and requests a second."""
    taken: list[list[float]] = [[] for _ in range(clients)]
    ends = time.perf_counter() + seconds

    def client(number: int) -> None:
        with httpx.Client(base_url=address, headers=headers, timeout=60) as opened:
            turn = number
            while (began := time.perf_counter()) < ends:
                opened.post(path, content=bodies[turn % len(bodies)]).raise_for_status()
                taken[number].append(time.perf_counter() - began)
                turn += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _spread([t for found in taken for t in found], seconds)


def at_a_rate(address: str, path: str, bodies: list[bytes], seconds: float, headers: dict[str, str]) -> dict[str, Any]:
    """``RATE`` requests a second from one client; a late answer delays none of the clock: the wait counts from when it
    was due."""
    taken = []
    with httpx.Client(base_url=address, headers=headers, timeout=60) as opened:
        begins = time.perf_counter()
        for number in range(int(RATE * seconds)):
            due = begins + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            opened.post(path, content=bodies[number % len(bodies)]).raise_for_status()
            taken.append(time.perf_counter() - due)
    return _spread(taken, seconds)


def _spread(taken: list[float], seconds: float) -> dict[str, Any]:
    p50, p99 = np.percentile(taken, [50, 99]).tolist()
    return {"p50_ms": round(1000 * p50, 2), "p99_ms": round(1000 * p99, 2), "a_second": round(len(taken) / seconds, 1)}


@contextmanager
def started(command: list[str], port: int) -> Iterator[str]:
    """A server process that answers ``/ping``, ended by its own id with what it started."""
    address = f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # MLflow starts uvicorn by name, so what is installed beside this Python must be on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path}
    process = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        for _ in range(600):
            try:
                httpx.get(f"{address}/ping", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command[1:3]} ended before it answered") from None
                time.sleep(0.2)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(timeout=60)


def run(seconds: float = SECONDS, patients: int = PATIENTS, made: Path | None = None) -> list[dict[str, Any]]:
    """``made`` is a demo home to copy instead of making one."""
    import lightgbm
    import mlflow.lightgbm
    from mlflow.models import infer_signature

    from models import RiskModel
    from models.bundle.manifest import locate

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        if made is None:
            upstream("demo", "--no-serve", "--patients", str(patients), "--home", str(home))
        else:
            shutil.copytree(made, home)
        bundle = locate(home / "bundles")
        model = RiskModel.load(bundle)
        outcome = next(iter(model.outcomes))
        booster = lightgbm.Booster(model_file=str(next(bundle.glob(f"*{outcome}*.txt"))))
        width = booster.num_feature()
        row = np.zeros((1, width))
        row[0, -1] = model.outcomes[outcome][0]
        mlflow.lightgbm.save_model(
            booster, str(Path(folder) / "mlflow"), signature=infer_signature(row, booster.predict(row))
        )
        vector = [json.dumps({"inputs": row.tolist()}).encode()]
        kind = {"Content-Type": "application/json"}
        peer, ours = {}, {}
        port = free_port()
        serve = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"{folder}/mlflow", "--env-manager", "local"]
        with started([*serve, "--host", "127.0.0.1", "--port", str(port)], port) as address:
            ask(address, "/invocations", vector, 1, 1.0, kind)
            peer = {n: ask(address, "/invocations", vector, n, seconds, kind) for n in CLIENTS}
            steady_peer = at_a_rate(address, "/invocations", vector, seconds, kind)
        port = free_port()
        with started([sys.executable, "-c", VECTOR, str(home / "bundles"), str(port)], port) as address:
            ask(address, "/invocations", vector, 1, 1.0, kind)
            ours = {n: ask(address, "/invocations", vector, n, seconds, kind) for n in CLIENTS}
        found = bodies_of(home)
        whole = [json.dumps(body).encode() for body in found]
        people = [another(body["people"][0], f"{n}-{i}") for n in range(9) for i, body in enumerate(found)]
        many = json.dumps({"as_of": found[0]["as_of"], "people": people[:500]})
        headers = kind | {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None, 'bench')}"}
        fast = {"OMP_NUM_THREADS": "1", "UPSTREAM_SYSTEM_RATE_PER_MINUTE": "1000000"}
        with served(home, **fast) as (address, process):
            ask(address, "/v1/scores", whole, 1, 2.0, headers)
            everything = {n: ask(address, "/v1/scores", whole, n, seconds, headers) for n in CLIENTS}
            compact = ask(address, "/v1/scores?contributions=none", whole, 1, seconds, headers)
            steady = at_a_rate(address, "/v1/scores", whole, seconds, headers)
            began = time.perf_counter()
            httpx.post(f"{address}/v1/scores", content=many, headers=headers, timeout=120).raise_for_status()
            many_s = time.perf_counter() - began
            held = int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) // 1024
            process.terminate()
            process.wait(timeout=60)
        with served(home, OMP_NUM_THREADS="1", UPSTREAM_SYSTEM_RATE_PER_MINUTE="1000000", **BESIDE) as (
            address,
            process,
        ):
            wait_for_processes(address, process.pid, whole[0], headers)
            ask(address, "/v1/scores", whole, PROCESSES, 2.0, headers)
            beside = {n: ask(address, "/v1/scores", whole, n, seconds, headers) for n in CLIENTS}
            all_held = shared_mb(process.pid)
            process.terminate()
            process.wait(timeout=60)
    lines = [_beside("api-score-only", n, ours[n], peer[n], 1.0) for n in CLIENTS]
    lines += [_beside("api-everything", n, everything[n], peer[n], 1 / TIMES_P50 if n == 1 else None) for n in CLIENTS]
    lines.append(_beside("api-compact", 1, compact, peer[1], 1 / TIMES_P50))
    lines += [_beside("api-processes", n, beside[n], peer[n]) | {"memory_mb": all_held} for n in CLIENTS]
    at_rate = _beside("api-at-20-a-second", 1, steady, steady_peer, 1 / TIMES_P99, "p99_ms")
    lines.append(at_rate | {"memory_mb": held, "a_second": RATE})
    lines.append(line("api-500-people", many_s, "s", MANY_FLOOR_S, people=len(json.loads(many)["people"])))
    return lines


def wait_for_processes(address: str, service: int, body: bytes, headers: dict[str, str]) -> None:
    """Returns once the scoring processes of a service have loaded the model."""
    for _ in range(600):
        httpx.post(f"{address}/v1/scores", content=body, headers=headers, timeout=120).raise_for_status()
        if len(list(family(service))) >= 2 + PROCESSES:
            return
        time.sleep(0.2)
    raise RuntimeError("the scoring processes did not start")


def _beside(
    name: str,
    clients: int,
    ours: dict[str, Any],
    peer: dict[str, Any],
    floor: float | None = None,
    which: str = "p50_ms",
) -> dict[str, Any]:
    """The median (or the p99) beside that of ``mlflow models serve``, which scores one outcome only: a ratio above 1
    is ours faster."""
    ratio = peer[which] / ours[which]
    return {
        "name": name,
        "clients": clients,
        "ours": ours[which],
        "peer": peer[which],
        "unit": f"ms, {which.removesuffix('_ms')}",
        "ratio": round(ratio, 2),
        "floor": floor,
        "ok": floor is None or ratio >= floor,
        "ours_all": ours,
        "peer_all": peer,
    }


if __name__ == "__main__":
    home = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    for found in run(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS, 300, home):
        sys.stdout.write(json.dumps(found) + "\n")
