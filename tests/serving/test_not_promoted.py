"""A demo shows a model that promotion refused, and says so wherever the model's figures appear."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from features import Records
from models import BundleRefused
from models.bundle.not_promoted import DEMO_NOTE
from models.publishing import publish, verify
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.wording import REFUSALS, refusal
from tests.serving.conftest import sign_in
from tests.serving.states import PAGES
from training.settings import PromotionSettings

GATES = (
    "REFUSED: admission_90.calibration_slope: 0.60 (needed: 0.8 to 1.25)",
    "REFUSED: disengagement_90.worst_team: 0.100 (needed: none below 0.8)",
)
BANNER = "Not promoted: 2 checks refused this model."
IN_WORDS = "Unplanned admission, 90 days: its probabilities are too extreme or too flat"


@pytest.fixture(scope="module")
def refused_home(made_home, tmp_path_factory, world) -> Path:
    """A demo's home whose model was refused, with a list made by it."""
    home = Path(shutil.copytree(made_home, tmp_path_factory.mktemp("refused") / "home"))
    (home / DEMO_NOTE).write_text("{}")
    publish(home / "bundles", home / "made", not_promoted=GATES)
    score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    return home


def bundles_of(home: Path) -> list[str]:
    return [(home / "bundles" / pointer).read_text().strip() for pointer in ("current", "last_good")]


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_so(refused_home, start, name):
    with start(refused_home) as client:
        cookie = issue_token(refused_home, "pharmacist", ["north"], "Priya", kind="session")
        client.cookies.set("upstream_session", cookie)
        said = text_of(client.get(PAGES[name]).text)
    assert BANNER in said and IN_WORDS in said


def test_the_sign_in_page_says_so(refused_home, start):
    with start(refused_home) as client:
        assert BANNER in text_of(client.get("/sign-in").text)


def test_the_api_lists_the_gates(refused_home, start, world):
    headers = {"Authorization": f"Bearer {issue_token(refused_home, 'cmht_system', None)}"}
    with start(refused_home) as client:
        assert client.get("/v1/model", headers=headers).json()["not_promoted"] == list(GATES)
        assert client.get("/v1/teams", headers=headers).json()["run"]["not_promoted"] == list(GATES)
        body = {"as_of": str(world.AS_OF), "people": [{"patient_id": "X1", "tables": {}}]}
        answer = client.post("/v1/scores", json=body, headers=headers).json()
        assert answer["model"]["not_promoted"] == list(GATES)
        scientist = {"Authorization": f"Bearer {issue_token(refused_home, 'data_scientist', None)}"}
        assert client.get("/v1/model/card", headers=scientist).json()["not_promoted"] == list(GATES)


def test_pages_of_a_promoted_model_have_no_such_notice(made_home, shared_home, client, as_role):
    assert client.get("/v1/model", headers=as_role("cmht_system")).json()["not_promoted"] == []
    sign_in(client, "operator")
    assert "Not promoted" not in client.get("/model").text
    client.cookies.clear()


def test_the_same_home_serves_no_such_model_in_production(refused_home, start):
    shown, promoted = (verify(refused_home / "bundles" / name) for name in bundles_of(refused_home))
    assert shown.not_promoted and not promoted.not_promoted
    with start(refused_home, environment="production") as client:
        assert client.get("/version").json()["bundle_id"] == promoted.bundle_id, "the last good one serves instead"
        check = next(c for c in client.get("/readyz").json()["checks"] if c["name"] == "model")
        assert "BundleRefused" in check["detail"]


def test_real_records_are_not_scored_with_it(refused_home, tmp_path, world):
    """Somebody put their own records into the folder of a demo."""
    frames = {name: world.records()[name] for name in ("patients", "teams", "referrals", "contacts")}
    Records.from_frames({k: pd.DataFrame(v) for k, v in frames.items()}).save(tmp_path / "store")
    with pytest.raises(BundleRefused, match="only `upstream demo` shows"):
        score_store(tmp_path / "store", refused_home / "bundles", refused_home, world.AS_OF + dt.timedelta(days=1))


def test_a_database_of_its_own_takes_no_list_from_it(refused_home, tmp_path, world):
    with pytest.raises(BundleRefused):
        score_store(
            refused_home / "store", refused_home / "bundles", f"sqlite:///{tmp_path / 'service.db'}", world.AS_OF
        )


def test_every_check_of_promotion_has_words_for_pages():
    source = (Path(__file__).parents[2] / "training" / "registry" / "promotion.py").read_text()
    named = set(re.findall(r'\{name\}\.([a-z_]+)"', source)) | {"bundle", "leak_proof", "latency", "exposure"}
    assert {"worst_group", "worst_team"} <= set(REFUSALS)
    assert named <= set(REFUSALS), named - set(REFUSALS)
    assert PromotionSettings().headline[0] == "admission_90"
    assert refusal(GATES[0]) == IN_WORDS
    assert refusal("REFUSED: latency: 30 ms (needed: 20)") == "One person takes too long to score"
