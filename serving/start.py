"""``upstream serve``: checks that the service can start, listens, and runs it until it is stopped."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from features.errors import UpstreamError
from features.records.memory import one_heap
from features.records.reading.nhs_numbers import KeyProblem
from serving.app import create_app, warm
from serving.http.protocol import BoundedProtocol
from serving.http.worker_processes import WorkerProcesses
from serving.identities.keys import IdentityKeyProblem
from serving.messages.providers.messengers import TextingMissing
from serving.messages.providers.nhs_notify import KeyNotRead
from serving.messages.templates import TemplateRefused
from serving.observability.logs import write_log
from serving.observability.tracing import TracingMissing
from serving.scoring.elsewhere import preparing
from serving.settings import ServiceSettings
from serving.storage import migrations
from serving.storage.database import DatabaseUnavailable, NotHeld

THREAD_STACK = 2 << 20
"""Address space of each thread's stack, in bytes; the system's 8 MB leaves too little under a limit of 1 GiB."""


class StartError(UpstreamError):
    """The service cannot start; the message says why and what to do."""


def serve(
    home: Path,
    host: str | None = None,
    port: int | None = None,
    on_ready: Callable[[str], None] = lambda address: None,
    log_file: Path | None = None,
) -> None:
    """Runs the service until SIGTERM or Ctrl-C; requests in flight finish. ``on_ready`` receives the address once
    the port is bound. The log goes to ``log_file``, else to standard error. Raises
    ``StartError`` for a port in use, a wrong setting, a database that does not answer, or a demo beyond loopback.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    one_heap()
    threading.stack_size(THREAD_STACK)
    given = {"home": home, **({"host": host} if host else {}), **({"port": port} if port is not None else {})}
    try:
        settings = ServiceSettings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise StartError(f"the service was not started: {wrong}") from None
    keep_private(settings.home)
    processes = None
    if settings.scoring_processes:  # before there is a thread, a socket or a connection that they would inherit
        prepare = preparing(settings.bundles, settings.nhs_key_file, warm)
        processes = WorkerProcesses(settings.scoring_processes, prepare)
    listening = _listen(settings.host, settings.port)
    with listening:
        try:
            with migrations.opened(settings.database) as database:
                database.check_is_held()
        except (NotHeld, migrations.NewerDatabase) as error:
            raise StartError(str(error)) from None
        except DatabaseUnavailable as error:
            raise StartError(f"{error}; check that the home folder can be written, or UPSTREAM_DATABASE_URL") from None
        try:
            app = create_app(settings) if processes is None else create_app(settings, processes)
        except (TracingMissing, KeyProblem, IdentityKeyProblem, TemplateRefused, TextingMissing, KeyNotRead) as error:
            raise StartError(str(error)) from None
        try:
            write_log(log_file, settings.security_log)
        except OSError as error:
            raise StartError(
                f"{error.filename}: cannot be written ({error.strerror}); check the log's folder"
            ) from None
        app.state.alone = True
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=20,
            # Longer than a reverse proxy keeps an idle connection (nginx: 60 s): if we close first, a request is
            # lost.
            timeout_keep_alive=75,
        )
        named = f"[{settings.host}]" if ":" in settings.host else settings.host
        on_ready(f"http://{named}:{listening.getsockname()[1]}")
        if threading.current_thread() is threading.main_thread():
            # The server raises the signal again after an orderly stop; that is a success.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def keep_private(home: Path) -> None:
    """Let nobody but the account of the service into the home, its database and its keys. Raises ``StartError`` where
    that cannot be done."""
    for path, mode in ((home, 0o700), *((found, 0o600) for found in (*home.glob("service.db*"), *home.glob("*.key")))):
        try:
            if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(mode)
        except OSError:
            raise StartError(
                f"{path.name} can be read by other accounts of this machine, and its rights cannot be changed: "
                f"run chmod {mode:o} on it as its owner"
            ) from None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    # Allows only the leftovers of a restart; a port with a live listener is still refused.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} on {host} is in use; stop what runs there, or choose another with --port"
            ) from None
        raise StartError(f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}") from None
    return listening
