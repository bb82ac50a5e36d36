"""The service as a process of its own, which a test may kill."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = (
    "import sys; from pathlib import Path; from serving.start import serve\n"
    "serve(Path(sys.argv[1]), port=0, on_ready=lambda url: print(url, flush=True))"
)


@contextmanager
def served(home: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address and the process of a service over ``home``, ended by its own id. ``process.stderr`` reads its log
    once it has ended."""
    # A file, not a pipe: nobody reads while the service works, and a full pipe would hold up the service that writes
    # its log to it.
    with tempfile.TemporaryFile("a+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **environment},
        )
        process.stderr = log
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            log.seek(0)
            assert address, log.read()
            yield address, process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
