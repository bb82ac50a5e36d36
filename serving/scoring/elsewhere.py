"""Scores requests in processes of their own (``UPSTREAM_SCORING_PROCESSES``), which share one verified model.

The service reads the request and sends the answer; what is between, a worker does: reading the body, features, scores,
reasons, gaps, JSON. The worker says whose histories it was sent before it scores them, so that the audit event is
written while it works, and on disk before the answer leaves. Whatever a worker cannot do, the service does itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from features.records.memory import give_back
from features.records.reading.nhs_numbers import NhsKey
from models import RiskModel
from serving.auditlog.log import Audit, AuditUnavailable
from serving.http.problems import Problem
from serving.http.worker_processes import Handle, Head, WorkerEnded, WorkerProcesses
from serving.scoring.reading import Unreadable, read_scores
from serving.scoring.schemas import Parts
from serving.scoring.service import Answered, answer_of, look_of, without_nhs_numbers

LARGE = 8_000_000
"""Bytes of an answer after which a worker returns memory to the system."""


class NotDone(Exception):
    """No worker answered; the service must."""


def preparing(bundles: Path, key_file: Path | None, warm: Callable[[RiskModel], None]) -> Callable[[str], Handle]:
    """Loads and verifies one bundle, for :class:`WorkerProcesses`."""

    def prepare(name: str) -> Handle:
        key, model = NhsKey.read(key_file) if key_file else None, RiskModel.load(bundles / name)
        warm(model)
        return lambda head, body: _answers(model, key, head, body)

    return prepare


def _answers(model: RiskModel, key: NhsKey | None, head: Head, body: bytes) -> Iterator[tuple[Head, bytes]]:
    """First whose histories were sent, then their scores; or only what is wrong."""
    today, parts = dt.date.fromisoformat(head["today"]), Parts(head["parts"])
    try:
        asked = without_nhs_numbers(read_scores(body), key)
        as_of = asked.as_of or today
        yield {"people": [person.pseudonym for person in asked.people], "as_of": as_of.isoformat()}, b""
        found = answer_of(model, asked, as_of, today, parts)
        yield {"scored": found.people}, found.body
        if len(found.body) > LARGE:
            del asked, found
            give_back()
    except Unreadable as error:
        yield {"faults": error.faults}, b""
    except Problem as problem:
        yield {"problem": [problem.status, problem.kind, str(problem)], "headers": problem.headers}, b""


def answered_elsewhere(
    processes: WorkerProcesses, model: RiskModel, body: bytes, today: dt.date, audit: Audit, parts: Parts
) -> Answered | list[dict[str, Any]]:
    """The answer to a body, or its faults. Raises ``Problem``, and ``NotDone`` where no worker did it."""
    bundle_id, unwritten = model.manifest.bundle_id, None
    try:
        with processes.worker(bundle_id) as worker:
            if worker is None:
                raise NotDone
            worker.send({"today": today.isoformat(), "parts": parts.value}, body)
            head, _ = worker.receive()
            if "faults" in head:
                return [{**fault, "loc": tuple(fault["loc"])} for fault in head["faults"]]
            if "people" in head:
                try:
                    with audit.recording(look_of(bundle_id, head["people"], head["as_of"])):
                        head, answer = worker.receive()
                except AuditUnavailable as error:  # the worker has answered, and takes the next task
                    unwritten = error
    except WorkerEnded:
        raise NotDone from None
    if unwritten is not None:
        raise unwritten
    if "problem" in head:
        raise Problem(*head["problem"], headers=head["headers"])
    if "scored" not in head:
        raise NotDone
    return Answered(bundle_id, head["scored"], answer)


__all__ = ["NotDone", "answered_elsewhere", "preparing"]
