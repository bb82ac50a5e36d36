"""A throwaway PostgreSQL that a test can stop in the middle of anything and start again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
USER = "postgres" if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root."""


@dataclass(frozen=True)
class Cluster:
    """One server with its data in ``folder``."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://upstream@127.0.0.1:{self.port}/upstream?connect_timeout=5"

    @property
    def pid(self) -> int:
        """The process that started all others of the server."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    @property
    def admin(self) -> list[str]:
        """Options by which PostgreSQL's programs reach the server as its superuser."""
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]

    def run(self, program: str, *words: str) -> None:
        command = [str(PROGRAMS[-1] / program), *words]
        done = subprocess.run(command, user=USER, cwd=self.folder, stdout=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, f"{program} failed; see {self.folder / 'log'}"

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder}"
        self.run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "-o", options, "start")

    def kill(self) -> None:
        """Stop without any clean-up: what a power cut leaves."""
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster, removed afterwards. Skips where PostgreSQL or its driver is absent."""
    pytest.importorskip("psycopg", reason="needs the extra [postgres]")
    if not PROGRAMS:
        pytest.skip("needs PostgreSQL's programs under /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="upstream-pg-"))
    if USER:
        shutil.chown(folder, USER)
    made = Cluster(folder, free_port())
    try:
        made.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "--no-sync")
        made.start()
        # As docs/operations.md installs it: a login that row-level security holds, and its own database.
        made.run("createuser", *made.admin, "--no-superuser", "upstream")
        made.run("createdb", *made.admin, "--owner", "upstream", "upstream")
        yield made
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            made.kill()
        shutil.rmtree(folder, ignore_errors=True)
