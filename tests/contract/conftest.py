"""The made-up trust of the service's tests, for what looks at the whole contract."""

from tests.serving.conftest import home, made_home, start, world  # noqa: F401
