"""The made-up trust of the service's tests, for the files that build and start images."""

from tests.serving.conftest import home, made_home, start, world  # noqa: F401
