"""A standalone Spark cluster of real processes on this machine: a master and two workers of one core each, as the pip
package of PySpark can start them, on 127.0.0.1 alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[3]
READY_S = 300
"""How long a cluster may take to start before the test says so; it continues at once when the workers are there."""


class Cluster:
    """A running master and its workers."""

    def __init__(self, folder: Path, workers: int) -> None:
        import pyspark

        self.programs = Path(pyspark.__file__).parent / "bin"
        self.folder, self.address = folder, f"spark://127.0.0.1:{free_port()}"
        self.environment = {
            **os.environ,
            "SPARK_HOME": str(self.programs.parent),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_WORKER_DIR": str(folder / "work"),
            "SPARK_LOCAL_DIRS": str(folder / "local"),
        }
        self.master = self._start("Master", "--port", self.address.rsplit(":", 1)[1], log="master.log")
        self.workers = [
            self._start("Worker", "-c", "1", "-m", "1g", self.address, log=f"worker-{number}.log")
            for number in range(workers)
        ]

    def _start(self, what: str, *words: str, log: str) -> subprocess.Popen[bytes]:
        name = f"org.apache.spark.deploy.{what.lower()}.{what}"
        command = [str(self.programs / "spark-class"), name, "--host", "127.0.0.1", "--webui-port", str(free_port())]
        with (self.folder / log).open("wb") as said:
            return subprocess.Popen(
                [*command, *words], env=self.environment, stdout=said, stderr=said, start_new_session=True
            )

    def wait(self) -> None:
        """Returns when the master has every worker; raises with the log's end if it never does."""
        log, ends = self.folder / "master.log", time.monotonic() + READY_S
        while log.read_text(errors="replace").count("Registering worker") < len(self.workers):
            if self.master.poll() is not None or time.monotonic() > ends:
                raise AssertionError(f"the cluster did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def submit(self, *words: str, settings: Sequence[str] = ()) -> subprocess.Popen[str]:
        """``spark-submit`` of ``upstream.py``, as docs/spark.md writes it, on this cluster."""
        given = [
            f"spark.pyspark.python={sys.executable}",
            f"spark.executorEnv.PYTHONPATH={ROOT}",
            "spark.driver.host=127.0.0.1",
            "spark.driver.bindAddress=127.0.0.1",
            "spark.ui.enabled=false",
            *settings,
        ]
        command = [str(self.programs / "spark-submit"), "--master", self.address, "--deploy-mode", "client"]
        command += ["--executor-cores", "1", "--executor-memory", "512m", "--driver-memory", "512m"]
        command += [word for setting in given for word in ("--conf", setting)]
        return subprocess.Popen(
            [*command, str(ROOT / "upstream.py"), *words],
            env={**self.environment, "PYSPARK_DRIVER_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_worker(self, number: int) -> None:
        """Ends a worker with its executor at once, as a machine that loses its power does."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait()

    def stop(self) -> None:
        for process in (*self.workers, self.master):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def standalone(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A cluster that is ready; all of its processes are ended on leaving."""
    folder.mkdir(parents=True)
    cluster = Cluster(folder, workers)
    try:
        cluster.wait()
        yield cluster
    finally:
        cluster.stop()
