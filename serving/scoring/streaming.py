"""``POST /v1/scores/stream``: people in, one a line, and their scores out, one a line, with a few of them in memory.

A line that cannot be read is answered by a line that says what is wrong with it, without any value of it. The client
must read while it sends: the service stops reading where nobody takes its answers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.requests import Request

from features.records.reading.nhs_numbers import NhsKey
from models import RiskModel
from serving.auditlog.log import Audit, Look
from serving.http.problems import Problem, from_validation
from serving.scoring.reading import Unreadable, read_person
from serving.scoring.schemas import Parts, PersonIn, ScoresRequest
from serving.scoring.service import model_used, scored_parts
from serving.state import Service

LONGEST_LINE = 2_000_000
"""Bytes of one person's history: twenty times that of ten years."""
PEOPLE_AT_ONCE = 20
BYTES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Line:
    """A line that was sent: its number from 1, and its bytes; None for one that is longer than any may be."""

    number: int
    text: bytes | None


async def lines_of(request: Request) -> AsyncIterator[Line]:
    """The lines of a body as they come; blank ones are counted and left out."""
    held, number, skipping = bytearray(), 0, False
    async for part in request.stream():
        held += part
        while (end := held.find(b"\n")) >= 0:
            text, number = bytes(held[:end]), number + 1
            del held[: end + 1]
            if skipping or len(text) > LONGEST_LINE:
                yield Line(number, None)
            elif text.strip():
                yield Line(number, text)
            skipping = False
        if len(held) > LONGEST_LINE:
            held.clear()
            skipping = True
    if skipping or held.strip():
        yield Line(number + 1, None if skipping else bytes(held))


@dataclass(frozen=True)
class Streaming:
    """One stream, bound to its caller. ``known`` are the names that an error may repeat."""

    service: Service
    model: RiskModel
    audit: Audit
    as_of: dt.date
    today: dt.date
    parts: Parts
    known: frozenset[str]

    async def answer(self, request: Request) -> AsyncIterator[bytes]:
        """The lines of the answer: first the model, then one for each line that was sent, in its order."""
        yield _line({"as_of": self.as_of, "model": model_used(self.model).model_dump()})
        held: list[Line] = []
        size = 0
        async for line in lines_of(request):
            held.append(line)
            size += len(line.text or b"")
            if len(held) >= PEOPLE_AT_ONCE or size >= BYTES_AT_ONCE:
                yield await self._scored(held)
                held, size = [], 0
        if held:
            yield await self._scored(held)

    async def _scored(self, held: list[Line]) -> bytes:
        """Answers to some lines. Where there is no turn or no audit log for them, each says so, to be sent again."""
        try:
            return await self.service.scoring.run(self._answers, held)
        except Problem as problem:
            return b"".join(self._refused(line, problem) for line in held)

    def _answers(self, held: list[Line]) -> bytes:
        found: dict[int, bytes] = {}
        people: dict[str, tuple[Line, PersonIn]] = {}
        for line in held:
            read = self._read(line)
            if isinstance(read, Problem):
                found[line.number] = self._refused(line, read)
            elif read.pseudonym in people:
                found[line.number] = self._refused(line, _twice())
            else:
                people[read.pseudonym] = (line, read)
        if people:
            found |= self._people(people)
        return b"".join(found[line.number] for line in held)

    def _read(self, line: Line) -> PersonIn | Problem:
        if line.text is None:
            return Problem(413, "line-too-long", f"A line holds at most {LONGEST_LINE:,} bytes.")
        try:
            person = read_person(line.text)
        except Unreadable as error:
            return from_validation(RequestValidationError(error.faults), self.known)
        return _without_nhs_number(person, self.service.nhs_key)

    def _people(self, people: dict[str, tuple[Line, PersonIn]]) -> dict[int, bytes]:
        body = ScoresRequest.model_construct(as_of=self.as_of, people=[person for _, person in people.values()])
        detail = {"as_of": self.as_of.isoformat(), "stream": True}
        look = Look("scores.requested", tuple(people), bundle_id=self.model.manifest.bundle_id, detail=detail)
        with self.audit.recording(look):
            answer, scored, count = scored_parts(self.model, body, self.as_of, self.today, self.parts)
            why = {one["patient_id"]: one["reason"] for one in answer["not_scored"]}
            order = [name for name in people if name not in why]
            pieces = {
                people[name][0].number: b'{"line":%d,"person":%s}\n' % (people[name][0].number, b"".join(person))
                for name, person in zip(order, scored, strict=True)
            }
        self.service.metrics.scored(self.model.manifest.bundle_id, count)
        for name, reason in why.items():
            number = people[name][0].number
            pieces[number] = _line({"line": number, "not_scored": {"patient_id": name, "reason": reason}})
        return pieces

    def _refused(self, line: Line, problem: Problem) -> bytes:
        body = problem.body(self.audit.request_id).model_dump(include={"type", "status", "detail", "errors"})
        return _line({"line": line.number, "error": body})


def _without_nhs_number(person: PersonIn, key: NhsKey | None) -> PersonIn | Problem:
    if person.nhs_number is None:
        return person
    if key is None:
        return Problem(422, "no-nhs-key", "This service holds no key for NHS numbers. Send local pseudonyms.")
    return person.pseudonymised(key)


def _twice() -> Problem:
    return Problem(422, "repeated-person", "This person stands on another line close by; send each once.")


def _line(found: dict[str, Any]) -> bytes:
    return to_json(found) + b"\n"
