"""The range of a risk by every door: the score of the API, the person of the nightly run, FHIR, and the page."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from models.publishing import publish
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.wording import between_in_100

PERSON = "N00"
URL = "urn:upstream:probability-range-90-percent"


@pytest.fixture(scope="module")
def ranged_home(made_home, tmp_path_factory, world) -> Path:
    """A home whose model has ranges for admission and none for disengagement."""
    home = Path(shutil.copytree(made_home, tmp_path_factory.mktemp("ranged") / "home"))
    records = world.records()
    publish(home / "bundles", world.write_tiny_bundle(home / "with_ranges", records, version="test-9", ranges=True))
    score_store(home / "store", home / "bundles", home, world.AS_OF, threads=1)
    return home


@pytest.fixture(scope="module")
def ranged(ranged_home, start_at):
    with start_at(ranged_home) as client:
        yield client


def headers(home: Path, role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(home, role, ['north'], 'test')}"}


def ranges_of(risks: list[dict]) -> dict:
    return {(one["outcome"], one["horizon_days"]): one["range"] for one in risks}


def test_every_interface_gives_the_same_range(ranged, ranged_home, world):
    person = ranged.get(f"/v1/patients/{PERSON}", headers=headers(ranged_home, "pharmacist")).json()
    body = {
        "as_of": world.AS_OF.isoformat(),
        "people": [{"patient_id": PERSON, "tables": world.person_tables(world.records(), PERSON)}],
    }
    answer = ranged.post("/v1/scores", json=body, headers=headers(ranged_home, "cmht_system"))
    assert answer.status_code == 200, answer.text
    stored, sent = ranges_of(person["risks"]), ranges_of(answer.json()["people"][0]["risks"])
    assert stored == sent
    risks = {(one["outcome"], one["horizon_days"]): one["probability"] for one in person["risks"]}
    for (outcome, _), found in stored.items():
        assert (found is not None) == (outcome == "admission")
    for pair, found in stored.items():
        if found is not None:
            assert found["level"] == 0.9
            assert found["low"] < risks[pair] < found["high"]
            assert found["in_words"] == between_in_100(found["low"], found["high"])


def test_fhir_gives_the_range_in_per_cent_beside_the_probability(ranged, ranged_home):
    system = headers(ranged_home, "pharmacist")
    person = ranged.get(f"/v1/patients/{PERSON}", headers=system).json()
    answer = ranged.get("/fhir/RiskAssessment", params={"patient": f"Patient/{PERSON}"}, headers=system)
    predictions = {
        (one["resource"]["code"]["coding"][0]["code"], place): prediction
        for one in answer.json()["entry"]
        for place, prediction in enumerate(one["resource"]["prediction"])
    }
    expected = [one["range"] for one in person["risks"] if one["outcome"] == "admission"]
    for place, found in enumerate(expected):
        prediction = predictions["admission", place]
        assert "probabilityRange" not in prediction, "R4 allows one probability[x]"
        [said] = [one["valueRange"] for one in prediction["extension"] if one["url"] == URL]
        assert said["low"]["unit"] == said["high"]["code"] == "%"
        assert said["low"]["value"] == pytest.approx(100 * found["low"], abs=1e-5)
        assert said["high"]["value"] == pytest.approx(100 * found["high"], abs=1e-5)
    assert [one["url"] for one in predictions["disengagement", 0]["extension"]] == [
        "urn:upstream:probability-as-proportion"
    ]


def page_of(client, home: Path, view: str) -> str:
    client.cookies.set("upstream_session", issue_token(home, "pharmacist", ["north"], "Priya", kind="session"))
    page = client.get(f"/patients/{PERSON}", params={"view": view})
    client.cookies.clear()
    assert page.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


def test_the_page_says_the_range_in_words_and_nothing_where_there_is_none(ranged, ranged_home):
    person = ranged.get(f"/v1/patients/{PERSON}", headers=headers(ranged_home, "pharmacist")).json()
    found = ranges_of(person["risks"])
    for (outcome, days), one in found.items():
        said = page_of(ranged, ranged_home, f"{outcome}-{days}")
        if one is not None:
            assert f"The true risk should lie {one['in_words']} for nine people in ten like this." in said
        else:
            assert "The true risk should lie" not in said


def test_a_model_without_ranges_serves_without_them(client, as_role):
    person = client.get(f"/v1/patients/{PERSON}", headers=as_role("pharmacist")).json()
    assert set(map(str, ranges_of(person["risks"]).values())) == {"None"}


@pytest.mark.parametrize(
    "low, high, words",
    [
        (0.031, 0.088, "between about 3 and 9 in 100"),
        (0.001, 0.088, "between fewer than 1 and 9 in 100"),
        (0.93, 0.999, "between about 93 and more than 99 in 100"),
        (0.001, 0.004, "fewer than 1 in 100"),
        (0.0301, 0.0302, "about 3 in 100"),
    ],
)
def test_a_range_in_words(low, high, words):
    assert between_in_100(low, high) == words
