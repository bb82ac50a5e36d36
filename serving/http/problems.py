"""One shape for every error: problem details (RFC 9457), which never repeat a value that was submitted.

Validation errors give the place by our own field names and positions. A name that we did not choose is replaced,
because an unknown column could be a person's name. Texts come from the table here, never from the exception.
"""

from __future__ import annotations

import re
import traceback
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.observability.logs import logger

log = logger()
MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 50
_OURS = re.compile(r"^.*/(?=(?:serving|features|models|site-packages)/)")


class FieldProblem(BaseModel):
    """One thing wrong with a request."""

    where: str = Field(description="the place in the request, by our field names and positions from 0")
    what: str = Field(description="what is wrong there, without the value")


class ProblemDetails(BaseModel):
    """The body of every error answer (RFC 9457). No field ever holds a value that was submitted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:upstream:problem:invalid-request",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "The request does not match /openapi.json.",
                    "request_id": "3f1c0a52b7e94d68",
                    "errors": [
                        {"where": "body.people[0].tables.supplies[0].days_supplied", "what": "must be a number"}
                    ],
                }
            ]
        }
    )

    type: str = Field(description="a stable name of the kind of problem")
    title: str = Field(description="the kind of problem in words")
    status: int
    detail: str = Field(description="what happened and what to do next")
    request_id: str = Field(description="quote this when asking for help; it is in the audit log too")
    errors: list[FieldProblem] = Field(default_factory=list)


class Problem(Exception):
    """An error to return. ``detail`` is a fixed text of ours and must not hold anything from the request."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: list[FieldProblem] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = errors or [], headers or {}

    def body(self, request_id: str) -> ProblemDetails:
        return ProblemDetails(
            type=f"urn:upstream:problem:{self.kind}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors,
        )


class ChangedMeanwhile(Problem):
    """Somebody changed what a page shows after it was opened, so that saving it would overwrite unseen."""

    def __init__(self) -> None:
        super().__init__(409, "changed-meanwhile", "It was changed after the page was opened; open the page again.")


def not_found() -> Problem:
    """The same answer for what does not exist and for what belongs to another team."""
    return Problem(
        404, "not-found", "There is nothing here that you may see. Check the address, or ask who looks after this team."
    )


def unauthorised() -> Problem:
    return Problem(
        401,
        "not-signed-in",
        "Send a valid, unexpired bearer token: Authorization: Bearer <token>. `upstream token` makes one.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def forbidden() -> Problem:
    return Problem(403, "role-may-not", "Your account's role cannot do this. Ask for access with a role that can.")


def unavailable(kind: str, detail: str, retry_after: int = 5) -> Problem:
    return Problem(503, kind, detail, headers={"Retry-After": str(retry_after)})


_STATUS_TEXT = {
    400: (
        "bad-request",
        "The request could not be read. Check that the body is complete and matches its Content-Type.",
    ),
    404: ("not-found", not_found().detail),
    405: ("method-not-allowed", "This address does not take this method; see /openapi.json."),
    429: ("too-many-requests", "This client sent too many requests; try again later."),
    408: ("too-slow-a-body", "The request body did not arrive in time; send it again."),
    413: ("too-large", "The request body is larger than this service accepts. Send fewer people per request."),
}


def from_http(error: HTTPException) -> Problem:
    """A framework's error in our words. Its own text is dropped, because it may quote the request."""
    kind, detail = _STATUS_TEXT.get(error.status_code, ("request-refused", "The request was refused."))
    return Problem(error.status_code, kind, detail, headers=dict(error.headers or {}))


_WHAT = {
    "missing": "is missing; it is required",
    "extra_forbidden": "has a name that is not in this table; see /openapi.json for the columns",
    "json_invalid": "is not valid JSON",
    "named_twice": "is there twice in one object, and one of the two would be lost; send one",
    "too_long": "has too many items",
    "too_short": "has too few items",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "string_type": "must be text",
    "string_pattern_mismatch": "has characters that are not allowed",
    "date_type": "must be a date as YYYY-MM-DD",
    "date_parsing": "must be a date as YYYY-MM-DD",
    "date_from_datetime_parsing": "must be a date as YYYY-MM-DD",
    "date_from_datetime_inexact": "must be a date without a time",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "cell_type": "must be a text, a number, true, false or null",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "enum": "is not one of the allowed values; see /openapi.json",
    "literal_error": "is not one of the allowed values; see /openapi.json",
    "greater_than_equal": "is below the smallest allowed value",
    "less_than_equal": "is above the largest allowed value",
    "nhs_number_as_id": (
        "is an NHS number, which no address, list or log may hold; use the local pseudonym, or the field nhs_number"
    ),
    "not_an_nhs_number": (
        "is no NHS number: it has not ten digits, or the last does not fit the others; look for a slip"
    ),
    "one_name": "must be named by exactly one of patient_id and nhs_number",
    "repeated_person": "is in the request more than once",
    "other_person": "names another person than the one it is listed under",
}


def from_validation(error: RequestValidationError, known_names: frozenset[str]) -> Problem:
    """A validation error as a problem: every fault with its place; names outside ``known_names`` are not repeated."""
    found = [
        FieldProblem(
            where=_place(fault["loc"], known_names, unknown_last=fault["type"] == "extra_forbidden"),
            what=_WHAT.get(fault["type"], "is not acceptable here; see /openapi.json"),
        )
        for fault in error.errors()[:MAX_ERRORS]
    ]
    total = len(error.errors())
    more = "" if total <= MAX_ERRORS else f" The first {MAX_ERRORS} of {total} are listed."
    return Problem(422, "invalid-request", f"The request does not match /openapi.json.{more}", errors=found)


def _place(loc: tuple[Any, ...], known_names: frozenset[str], *, unknown_last: bool) -> str:
    text = ""
    for position, part in enumerate(loc):
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in known_names and not (unknown_last and position == len(loc) - 1):
            text += f".{part}"
        else:
            text += ".(a name not known here)"
    return text.lstrip(".")


def answer(request: Request, problem: Problem) -> Response:
    """The problem as JSON. Pages render it as a page."""
    body = problem.body(request_id_of(request.scope))
    return JSONResponse(body.model_dump(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def request_id_of(scope: Any) -> str:
    return str(scope.get("state", {}).get("request_id", "")) or "none"


def log_unexpected(error: BaseException, request_id: str) -> None:
    """Logs where an unexpected error came from. Its text is left out, because it may hold a patient's value."""
    frames = [
        f"{_OURS.sub('', frame.filename)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-8)
    ]
    log.error("unexpected error", error=type(error).__name__, request_id=request_id, where=" < ".join(reversed(frames)))
