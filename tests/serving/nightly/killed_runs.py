"""A process that starts nightly runs and kills each with SIGKILL at a random moment: ``python killed_runs.py HOME
AS_OF DEATHS SEED SHARD PROCESSES``.

Children are forked from one process that has everything imported, so that a kill costs no start. Prints ``{"deaths":
n, "resumed": n}`` and leaves the home of a run that nobody killed in ``clean`` beside HOME.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from serving.nightly.run import score_store
from serving.nightly.summary import Summary


def main(home: Path, as_of: str, deaths: int, seed: int, shard: int, processes: int) -> dict[str, int]:
    def run(home: Path, as_of: str) -> Summary:
        return score_store(home / "store", home / "bundles", home, as_of, threads=processes, shard=shard)

    chance = random.Random(seed)
    clean = Path(shutil.copytree(home, home.parent / "clean"))
    run(clean, as_of)  # Compiled kernels are in memory from here on.
    shutil.rmtree(clean)
    began = time.perf_counter()
    run(Path(shutil.copytree(home, clean)), as_of)
    usual = time.perf_counter() - began
    died = 0
    while died < deaths:
        moment = chance.uniform(0.05, 0.9) * usual
        child = os.fork()
        if child == 0:
            run(home, as_of)
            os._exit(0)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0, "a run failed that nobody killed"
            # It was done before its time came: begin again from nothing.
            for path in home.glob("service.db*"):
                path.unlink()
            continue
        died += 1
    resumed = run(home, as_of).shards_resumed
    return {"deaths": died, "resumed": resumed}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))) + "\n")
