"""The six most important harms, each tested through the interfaces that people and systems use.

Run one with its number: ``python -m pytest tests/serving/test_harms.py -k harm_1``. The first line of each test says
what happened before.
"""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from features import Records, find_gaps
from features.records.tables import TABLES
from serving.nightly.arrival import Acceptance, ListRefused
from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from tests.conftest import ROOT
from tests.serving.http.test_bodies import LARGE, asked
from tests.tables import TODAY

OPEN = {"referral_id": "r1", "team_id": "t1", "opened_on": "2024-01-10"}
NUMBER = "9434765919"


def post(client, headers, people, as_of="2026-01-05"):
    return client.post("/v1/scores", json={"as_of": as_of, "people": people}, headers=headers)


def person(name, **tables):
    return {"patient_id": name, "tables": {"referrals": [OPEN], **tables}}


def extract(folder: Path, suffix: str = "csv", **tables: list[dict[str, str]]) -> Path:
    """A folder with one file a table."""
    folder.mkdir(parents=True)
    for name, spec in TABLES.items():
        rows = tables.get(name, [])
        frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else list(spec.names), dtype="str")
        frame.to_csv(folder / f"{name}.csv", index=False) if suffix == "csv" else frame.to_parquet(
            folder / f"{name}.parquet"
        )
    return folder


def test_the_page_names_a_test_for_every_harm():
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    named = {int(number) for number in re.findall(r"^\| (\d) \|.*`-k harm_\1` \|$", page, re.MULTILINE)}
    held = {int(found[1]) for name in globals() if (found := re.match(r"test_harm_(\d)_", name))}
    assert named == held == {1, 2, 3, 4, 5, 6}


# --- 1. Two ids that are one after cleaning. Before: one person was answered with another's medicines.


@pytest.mark.parametrize("second", ["p1 ", "p1\u00a0", "ｐ１", "p1\u200b"])
def test_harm_1_two_spellings_of_one_id_in_a_request_are_refused(client, as_role, second):
    answer = post(client, as_role("cmht_system"), [person("p1"), person(second)])
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 1 and "more than once" in answer.text


@pytest.mark.parametrize("second", ["p1 ", "p1\u00a0", "ｐ１", "p1\u200b"])
def test_harm_1_two_people_whose_ids_become_one_are_refused_at_ingest(run, tmp_path, second):
    people = [
        {"patient_id": "p1", "birth_date": "1980-05-17"},
        {"patient_id": second, "birth_date": "1961-01-02"},
    ]
    done = run("ingest", "own", str(extract(tmp_path / "x", patients=people)), "--out", str(tmp_path / "s"), ok=False)
    assert done.returncode != 0 and "1 ids differ only by spaces or invisible signs" in done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("spelled", [f"NHS:{NUMBER}", f"{NUMBER}.0", "943\u00a0476\u00a05919", "９４３４７６５９１９"])
def test_harm_1_an_nhs_number_is_no_id_in_a_request_or_an_extract(client, as_role, run, tmp_path, spelled):
    answer = post(client, as_role("cmht_system"), [person(spelled)])
    assert answer.status_code == 422 and NUMBER not in answer.text
    folder = extract(tmp_path / "x", patients=[{"patient_id": spelled}])
    done = run("ingest", "own", str(folder), "--out", str(tmp_path / "s"), ok=False)
    assert done.returncode != 0 and NUMBER not in done.stderr and not (tmp_path / "s").exists()


# --- 2. The dead and inpatients. Before: they were scored and listed, and gaps asked for their blood tests.

STAY = {"admitted_on": "2025-12-01", "ward": "acute"}
DIED = {"died_on": "2025-12-05", "known_on": "2025-12-06"}


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [("patients", DIED, "died"), ("stays", STAY, "inpatient, or discharge not yet known")],
)
def test_harm_2_the_api_scores_neither_and_says_why(client, as_role, table, row, reason):
    answer = post(client, as_role("cmht_system"), [person("one", **{table: [row]})]).json()
    assert (answer["people"], answer["not_scored"]) == ([], [{"patient_id": "one", "reason": reason}])


def test_harm_2_nobody_who_died_or_is_in_hospital_is_on_a_published_list(home, world):
    records = world.records()
    frames = {name: records[name] for name in records.tables}
    frames["patients"].loc[frames["patients"]["patient_id"] == "N03", "died_on"] = pd.Timestamp("2025-12-05")
    stay = pd.DataFrame([{"patient_id": "N04", **STAY}]).astype({"admitted_on": "datetime64[s]"})
    frames["stays"] = pd.concat([frames["stays"], stay], ignore_index=True)
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=1), threads=1)
    with sqlite3.connect(home / "service.db") as connection:
        newest = "SELECT run_id FROM publications ORDER BY publication_id DESC LIMIT 1"
        listed = {row[0] for row in connection.execute(f"SELECT patient_id FROM people WHERE run_id = ({newest})")}
    assert "N02" in listed and not {"N03", "N04"} & listed
    assert find_gaps(Records.load(home / "store"), world.AS_OF, ["N03"]).empty


# --- 3. Times with an offset. Before: the offset was dropped, and a day was the day in Greenwich.

TIMES = {
    "2025-06-30T23:30:00+00:00": "2025-07-01",  # summer
    "2025-01-31T23:30:00Z": "2025-01-31",  # winter
    "2024-02-29T23:30:00-05:00": "2024-03-01",  # 29 February
    "2025-03-30T23:30:00Z": "2025-03-31",  # the night the clocks go forward
    "2025-10-25T23:30:00Z": "2025-10-26",  # the night they go back
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_harm_3_a_time_in_a_file_is_its_day_in_london(tmp_path, suffix):
    rows = [
        {"patient_id": "anna", "test": "anc", "taken_on": at, "value": "4", "unit": "10^9/L", "known_on": "2025-11-01"}
        for at in TIMES
    ]
    records = Records.load(
        extract(tmp_path / "x", suffix, patients=[{"patient_id": "anna"}], results=rows), today=TODAY
    )
    assert sorted(str(day)[:10] for day in records["results"]["taken_on"]) == sorted(TIMES.values())


@pytest.mark.parametrize(
    ("at", "as_of", "scored"),
    [
        ("2025-07-14T22:30:00Z", "2025-07-15", False),
        ("2025-07-14T23:30:00Z", "2025-07-15", True),  # in London it is the 15th, so not before it
        ("2025-01-14T23:30:00Z", "2025-01-15", False),
        ("2025-10-25T23:30:00Z", "2025-10-26", True),
    ],
)
def test_harm_3_a_time_in_a_request_is_its_day_in_london(client, as_role, at, as_of, scored):
    people = [person("one", patients=[{"died_on": at}])]
    assert bool(post(client, as_role("cmht_system"), people, as_of).json()["people"]) is scored


# --- 4. A slash too many behind TLS. Before: a redirect to http://, and the history was sent again in clear.


@pytest.mark.parametrize("path", ["/v1/scores/", "/v1/patients/N03/", "/patients/N03/", "/v1/teams/"])
def test_harm_4_nothing_behind_tls_redirects_to_plain_http(shared_home, start, path):
    url = "https://upstream.example.nhs.uk"
    with start(shared_home, environment="production", public_url=url, behind_proxy=True) as client:
        token = issue_token(shared_home, "cmht_system", None, "test")
        headers = {"Host": "upstream.example.nhs.uk", "X-Forwarded-Proto": "https", "Authorization": f"Bearer {token}"}
        for method in ("GET", "POST"):
            answer = client.request(method, path, headers=headers, json={"people": [person("one")]})
            assert not answer.headers.get("location", "").startswith("http:") and answer.status_code in (404, 405)


# --- 5. A client without a token. Before: 60 bodies of 30 MB took 3.4 GB for good, one stopped every answer for 1 s.


def test_harm_5_no_body_is_read_without_a_token(client):
    client.cookies.clear()
    assert asked(client, "/v1/scores", {}, LARGE) == (401, 0)
    assert asked(client, "/v1/scores", {"Authorization": "Bearer made-up"}, "") == (401, 0)


# --- 6. A run from what cannot be. Before: a table nearly empty, half a list or an old date was published.


@pytest.mark.parametrize("table", ["contacts", "supplies"])
def test_harm_6_a_nightly_run_that_cannot_be_is_refused_until_a_named_person_says_why(home, world, table):
    records, day = world.records(), world.AS_OF + dt.timedelta(days=1)
    frames = {name: records[name] for name in records.tables}
    frames[table] = frames[table].iloc[:2]
    Records.from_frames(frames, about={"synthetic": True}).save(home / "store")
    with pytest.raises(ListRefused, match="NOT published"):
        score_store(home / "store", home / "bundles", home, day, threads=1)
    with pytest.raises(ListRefused, match="check the clock"):
        score_store(home / "store", home / "bundles", home, world.AS_OF - dt.timedelta(days=365), threads=1)
    accepted = Acceptance("Sam Ward", "a feed was changed")
    assert score_store(home / "store", home / "bundles", home, day, threads=1, accept=accepted).run_id
