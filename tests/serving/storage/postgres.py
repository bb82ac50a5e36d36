"""A real PostgreSQL for a test run: its own folder, loopback only, a free port, an unprivileged user. Nothing of the
machine's own is touched."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port


class Absent(Exception):
    """PostgreSQL cannot be started here; the message says why."""


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    if not found:
        raise Absent("PostgreSQL is not installed (apt-get install postgresql)")
    return found[-1].parent


def as_unprivileged() -> list[str]:
    """How to run a command as somebody PostgreSQL accepts: it refuses root."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise Absent("running as root and there is no user postgres to run the server as") from None
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@contextmanager
def running() -> Iterator[str]:
    """The URL of the superuser's database on a server that lives as long as the block."""
    where, become = binaries(), as_unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="upstream-pg-"))
    if become:
        shutil.chown(folder, "postgres", "postgres")

    def run(*command: str) -> None:
        subprocess.run([*become, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=600)

    try:
        run(str(where / "initdb"), "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        port = _start(run, where, folder)
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            run(str(where / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(run: object, where: Path, folder: Path) -> int:
    for attempt in range(5):
        port = free_port()
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=40"
        )
        try:
            command = (
                str(where / "pg_ctl"),
                "-D",
                f"{folder}/data",
                "-l",
                f"{folder}/log",
                "-w",
                "-o",
                options,
                "start",
            )
            run(*command)  # type: ignore[operator]
            return port
        except subprocess.CalledProcessError:  # somebody took the port in between
            if attempt == 4:
                raise
    raise AssertionError
