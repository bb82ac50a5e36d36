"""A demo ends with a page, also where a gate refuses the model. The home of tests/test_end_to_end.py is that of a demo
whose model passes, and is served by a process."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, command
from tests.serving.conftest import client_of
from tests.training.conftest import SMALL, no_pictures, no_served_model

IMPOSSIBLE = {"one_row_ms_at_most": 1e-9}
"""No machine scores a row in a billionth of a millisecond."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of the repository, with a small model and a gate that nothing passes."""
    own = yaml.safe_load((ROOT / "mlflow.yaml").read_text(encoding="utf-8"))
    for section in ("training", "controls", "evaluation"):
        own[section] |= SMALL[section]
    own["evaluation"] |= {"oracle_rows": 0, "planted_people": 0}
    own["promotion"] |= {"leak_checks": 20} | IMPOSSIBLE
    path = tmp_path_factory.mktemp("settings") / "mlflow.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_demo_whose_model_a_gate_refuses_ends_with_a_page_that_says_so(
    settings: Path, tmp_path: Path, store_template: None
):
    home = tmp_path / "home"
    words = ("demo", "--no-serve", "--patients", "200", "--home", str(home))
    with no_pictures(), no_served_model():
        said = " ".join(command(*words, UPSTREAM_SETTINGS=str(settings)).stderr.split())
    assert "not promoted, these gates refused" in said, said
    assert "latency" in said, said
    assert "The demo is ready" in said, said

    with client_of(home) as client:
        page = " ".join(unescape(re.sub(r"<[^>]+>", " ", client.get("/sign-in").text)).split())
    assert re.search(r"Not promoted: \d+ checks? refused this model\.", page)

    again = command(*words, UPSTREAM_SETTINGS=str(settings)).stderr
    assert again.count("reused") == 7
    assert "refused before, reused" in again
