"""The made-up trust of the service's tests, for breaking it."""

from tests.serving.conftest import database, home, made_home, start, world  # noqa: F401
