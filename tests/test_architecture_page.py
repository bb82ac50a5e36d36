"""The examples of docs/architecture.md run, in the order of the page, in one namespace."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.serving.conftest import home, made_home, start, world  # noqa: F401

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"### (A \w+(?: \w+)?)\n.*?```python\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def namespace() -> dict[str, Any]:
    """What the examples define, by name. Each assert of the page has held."""
    found: dict[str, Any] = {"__name__": "architecture_page"}
    for title, code in EXAMPLES:
        exec(compile(code, f"docs/architecture.md, {title}", "exec"), found)
    return found


def test_there_is_an_example_of_each_kind():
    assert [title for title, _ in EXAMPLES] == ["A feature", "A care gap", "A source", "A page"]


def test_the_examples_do_what_the_page_says(namespace):
    assert namespace["gap"].code.code == "NEVER_MET"
    assert namespace["matrix"].names == ("text_contacts_90d",)


def test_the_page_of_the_example_answers_only_callers_that_may_see_people(namespace, start, home):  # noqa: F811
    from serving.security.tokens import issue_token

    token = issue_token(home, "cmht_system", None, "example")
    with start(home) as client:
        client.app.include_router(namespace["router"])
        assert client.get("/v1/hello").status_code == 401
        answer = client.get("/v1/hello", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"role": "cmht_system"}
