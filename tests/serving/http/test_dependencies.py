"""What a route depends on runs in the event loop, because a plain function would take a thread at each request."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import iter_route_contexts


def plain_functions(app: FastAPI) -> Iterator[str]:
    for context in iter_route_contexts(app.routes):
        for call in called(getattr(context.original_route, "dependant", None)):
            if not inspect.iscoroutinefunction(call) and not inspect.iscoroutinefunction(type(call).__call__):
                yield f"{context.path}: {getattr(call, '__name__', call)}"


def called(dependant: Any) -> Iterator[Any]:
    for dependency in getattr(dependant, "dependencies", ()):
        yield dependency.call
        yield from called(dependency)


def test_no_route_waits_for_a_thread_before_its_own_work(client):
    assert list(plain_functions(client.app)) == []


@pytest.mark.parametrize("nested", [False, True])
def test_a_dependency_that_is_a_plain_function_is_found(nested):
    def plain() -> int:
        return 1

    async def asks(value: int = Depends(plain)) -> int:
        return value

    router = APIRouter(dependencies=[Depends(asks if nested else plain)])
    router.get("/somewhere")(lambda: None)
    app = FastAPI()
    app.include_router(router)
    assert any(found.endswith("plain") for found in plain_functions(app))
