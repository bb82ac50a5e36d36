"""The example of docs/connect.md, run as it stands against a service."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from serving.app import create_app
from serving.settings import CdsClient, ServiceSettings
from tests.conftest import ROOT
from tests.serving.running import running

PAGE = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")


def block(name):
    return re.search(rf"```python {name}\n(.*?)```", PAGE, re.S)[1]


def run(code, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_example_shows_a_card_and_sends_feedback(home, tmp_path):
    run(block("keys"), tmp_path)
    client = CdsClient(issuer="https://epr.example", jwks_file=tmp_path / "keys.json", teams="all")
    with running(create_app(ServiceSettings(home=home, environment="demo", cds=(client,)))) as address:
        lines = run(block("hook"), tmp_path, UPSTREAM=address, PERSON="N00")
    assert lines == ["warning Critical: Clozapine blood count: 186 days overdue, and 1 more", "feedback 1"]


def test_the_table_holds_every_requirement_once():
    rows = re.findall(r"^\| (\d+) \| ([A-Z ]+) \| (.+) \|$", PAGE, re.M)
    assert len(rows) == len({number for number, *_ in rows}) == 120
    for _, _, state in rows:
        assert state.startswith(("met", "not applicable: ", "not shown: ", "not met: ")), state
        for file, test in re.findall(r"`(test_\w+\.py)::(test_\w+)`", state):
            assert f"def {test}(" in (ROOT / "tests/serving/cds" / file).read_text(), test
