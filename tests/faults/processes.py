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
    "import resource, sys; from pathlib import Path\n"
    "most = int(sys.argv[2])\n"
    "if most: resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
    "from serving.start import serve\n"
    "serve(Path(sys.argv[1]), port=0, on_ready=lambda url: print(url, flush=True))"
)


@contextmanager
def served(home: Path, address_space: int = 0, **environment: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address and the process of a service over ``home``, ended by its own id. ``process.stderr`` reads its log
    once it has ended. ``address_space`` is the most memory, in bytes, that it may ask the system for."""
    # A file, not a pipe: nobody reads while the service works, and a full pipe would hold up the service that writes
    # its log to it.
    with tempfile.TemporaryFile("a+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home), str(address_space)],
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
