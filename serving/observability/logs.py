"""Operational logs: one JSON line per event, with only the fields listed below.

A field that is not on the list is dropped and counted, so that a careless line loses its value instead of leaking it.
Lines of libraries keep their logger, level and place, but not their text, which may quote a request. Who viewed whom
is in the audit log, under the request id.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

ALLOWED = frozenset(
    {
        "event",  # what happened, a fixed text of ours
        "level",
        "timestamp",
        "request_id",
        "method",
        "route",  # the template, such as /v1/patients/{patient_id}: never the address
        "status",
        "milliseconds",
        "role",
        "address",  # source address of a refused request: only in security events
        "security",  # the kind of a security event
        "problem",  # the kind of an error answer
        "error",  # the class of an exception: never its text
        "where",  # files and lines of ours
        "bundle",
        "dropped",
    }
)
NAME = "upstream.serving"
SECURITY_NAME = "upstream.security"
"""Security events: refusals, sign-ins and emergency access, for the system that watches over a trust's network."""
OUR_LOGGERS = ("upstream",)


def only_allowed(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that drops fields not on the list and records how many it dropped."""
    dropped = [name for name in fields if name not in ALLOWED]
    for name in dropped:
        del fields[name]
    if dropped:
        fields["dropped"] = len(dropped)
    return fields


def logger(name: str = NAME) -> Any:
    """The service's log: ``log.info("answered", status=200)``. Below WARNING it is silent until ``write_log`` is
    called.
    """
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class OneLine(logging.Formatter):
    """Formats our own lines unchanged; of other lines it keeps only the logger, the level, the place and the class of
    an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        if record.name.startswith(OUR_LOGGERS):
            return str(record.msg)
        found = {
            "event": "a library's line, without its text",
            "level": record.levelname.lower(),
            "where": f"{record.name}:{record.lineno}",
        }
        if record.exc_info and record.exc_info[0]:
            found["error"] = record.exc_info[0].__name__
        return json.dumps(found, sort_keys=True)


def write_log(file: Path | None = None, security: Path | None = None) -> None:
    """Sends every line of this process to standard error, or to ``file``, one JSON object each; security events to
    ``security`` instead, where it is given. For ``serve``; tests read the records instead. A file is rotated at 5 MB,
    and the previous one is kept. Raises OSError where a file cannot be written."""
    logging.root.handlers = [_written(logging.StreamHandler(sys.stderr) if file is None else _rotated(file))]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(logging.INFO)
    if security is not None:
        apart = logging.getLogger(SECURITY_NAME)
        apart.handlers, apart.propagate = [_written(_rotated(security))], False
        security.chmod(0o600)


def _rotated(file: Path) -> logging.Handler:
    return RotatingFileHandler(file, maxBytes=5_000_000, backupCount=1, encoding="utf-8")


def _written(handler: logging.Handler) -> logging.Handler:
    handler.setFormatter(OneLine())
    return handler
