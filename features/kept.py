"""A property that is worked out when it is first read, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class kept(Generic[T]):
    """``functools.cached_property`` without its lock, which costs more than most of what is kept here. Two threads that
    read it at once both work it out, and keep one of two equal answers.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make, self.name, self.__doc__ = make, make.__name__, make.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> kept[T]: ...
    @overload
    def __get__(self, owner: object, kind: type | None = None) -> T: ...
    def __get__(self, owner: object | None, kind: type | None = None) -> T | kept[T]:
        if owner is None:
            return self
        found = self.make(owner)
        setattr(owner, self.name, found)  # reading ``__dict__`` would cost more
        return found
