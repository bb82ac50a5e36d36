"""``POST`` and ``GET /v1/patients/{patient_id}/reviews``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from serving.access import GuardedRoute, PeopleCaller
from serving.identity.ids import PersonId
from serving.reviews.schemas import IdempotencyKey, Review, ReviewIn, Reviews
from serving.reviews.service import record_review, review_history, undo_review
from serving.state import Serving

router = APIRouter(tags=["reviews"], route_class=GuardedRoute)

ReviewId = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9a-f]+$", description="as its list names it")]
Key = Annotated[IdempotencyKey, Header(alias="Idempotency-Key", description="one per review; a repeat is harmless")]


@router.post(
    "/v1/patients/{patient_id}/reviews",
    status_code=201,
    responses={200: {"model": Review, "description": "recorded before under this key; nothing was changed"}},
)
async def record(
    request: Request,
    response: Response,
    caller: PeopleCaller,
    service: Serving,
    patient_id: PersonId,
    body: ReviewIn,
    idempotency_key: Key,
) -> Review:
    """Record what a review did. To correct one, send the whole review again with ``replaces``; both versions are
    kept."""
    audit = service.audit_for(caller, request)
    recorded = await service.reads.run(
        record_review, service.database, caller, audit, patient_id, body, idempotency_key
    )
    response.status_code = 201 if recorded.created else 200
    return recorded.review


@router.post("/v1/patients/{patient_id}/reviews/{review_id}/undo")
async def undo(
    request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId, review_id: ReviewId
) -> Review:
    """Take a review back. It counts for nothing from now on, and stays in the history; a repeat is harmless."""
    audit = service.audit_for(caller, request)
    undone = await service.reads.run(undo_review, service.database, caller, audit, patient_id, review_id)
    return undone.review


@router.get("/v1/patients/{patient_id}/reviews")
async def history(request: Request, caller: PeopleCaller, service: Serving, patient_id: PersonId) -> Reviews:
    """Every version of every review of a person, newest first."""
    audit = service.audit_for(caller, request)
    return await service.reads.run(review_history, service.database, caller, audit, patient_id)
