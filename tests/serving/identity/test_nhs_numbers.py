"""NHS numbers: the check digit, and a pseudonym that says nothing without its key. The numbers are made up from test
ranges."""

from __future__ import annotations

import hashlib
import hmac

import nhs_number
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

import upstream
from features import Records
from features.records import TABLES
from features.records.reading.nhs_numbers import KeyProblem, NhsKey, NotAnNhsNumber, checked, looks_like_one
from serving.security.tokens import issue_token
from serving.storage.tables import audit_events

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.mark.parametrize(
    "number",
    [
        "9434765919",
        "943 476 5919",
        "943-476-5919",
        " 9434765870 ",
        "9990000018",
        "94 34765919",
        "٩٤٣٤٧٦٥٩١٩",
        "９４３４７６５９１９",
        "9434 765 919",
        "943.476.5919",
        "943\u00a0476\u00a05919",
        "9434765919.0",
        "NHS:9434765919",
        "NHS number 943 476 5919",
        "nhs_no-9434765919",
        "9434765919\u200b",
        "943\u2011476\u20115919",
    ],
)
def test_published_examples_and_test_numbers_hold(number):
    assert checked(number).isdigit() and len(checked(number)) == 10


@pytest.mark.parametrize("number", ["9434765918", "943476591", "94347659190", "abc", ""])
def test_wrong_numbers_are_refused_without_being_repeated(number):
    with pytest.raises(NotAnNhsNumber) as refused:
        checked(number)
    assert not number or number not in str(refused.value)


@given(st.integers(0, 999_999_999), st.integers(0, 8), st.integers(1, 9))
def test_every_single_digit_error_is_found(nine, place, change):
    """Modulus 11 finds any one wrong digit; that is what it is for."""
    valid = [n for n in (f"{nine:09d}{last}" for last in range(10)) if looks_like_one(n)]
    assert len(valid) <= 1
    for number in valid:
        slipped = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
        assert not looks_like_one(slipped)


@given(st.integers(0, 9_999_999_999))
def test_the_check_is_that_of_the_nhs_number_package(number):
    """An outside peer: the nhs-number package from PyPI. In the Scottish range it also reads the first six digits as a
    birth date; we do not, so that a slip in a date of birth is still kept out of every address and log."""
    text = f"{number:010d}"
    ours, theirs = looks_like_one(text), nhs_number.is_valid(text)
    assert ours == theirs or (ours and nhs_number.REGION_SCOTLAND.contains_number(text))


def test_every_number_that_the_package_makes_holds():
    made = nhs_number.generate(for_region=nhs_number.REGION_SYNTHETIC, quantity=500)
    assert all(checked(number) == number for number in made)


def test_a_pseudonym_needs_its_key_and_names_it():
    made = NhsKey("k2026", KEY).pseudonym("943 476 5919")
    assert made == NhsKey("k2026", KEY).pseudonym("9434765919")
    assert made == "k2026." + hmac.new(KEY, b"9434765919", hashlib.sha256).hexdigest()
    assert made.split(".")[1] != NhsKey("k2026", OTHER).pseudonym("9434765919").split(".")[1]
    assert "kkk" not in repr(NhsKey("k2026", KEY))


@pytest.mark.parametrize(("key", "key_id"), [(b"short", "k1"), (KEY, ""), (KEY, "K 1")])
def test_weak_keys_and_odd_ids_are_refused(key, key_id):
    with pytest.raises(KeyProblem):
        NhsKey(key_id, key)


@pytest.mark.parametrize("line", ["", "k1", "k1:xyz", f"k1:{KEY.hex()[:20]}", KEY.hex()])
def test_a_key_file_that_cannot_be_used_is_refused_without_being_repeated(tmp_path, line):
    file = tmp_path / "key"
    file.write_text(line)
    with pytest.raises(KeyProblem) as refused:
        NhsKey.read(file)
    assert not line or line not in str(refused.value)
    with pytest.raises(KeyProblem):
        NhsKey.read(tmp_path / "gone")


# Where numbers come in: an extract


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "nhs.key"
    file.write_text(f"k1:{KEY.hex()}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def extract(tmp_path):
    """Three people: two by NHS number, one of them with a supply under a slip of the keys; and one local id."""
    empty = {name: pd.DataFrame(columns=list(spec.names)) for name, spec in TABLES.items()}
    people = pd.DataFrame({"patient_id": ["943 476 5919", "9434765870", "L7"]})
    supplies = pd.DataFrame(
        {
            "patient_id": ["9434765919", "9434765918", "L7"],
            "medicine": "clozapine",
            "supplied_on": "2025-01-03",
            "kind": "dispensed",
            "days_supplied": "28",
        }
    )
    folder = tmp_path / "extract"
    folder.mkdir()
    for name, frame in (empty | {"patients": people, "supplies": supplies}).items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def ingest(extract, out, *options):
    words = ["ingest", "own", str(extract), "--out", str(out), *options]
    return CliRunner().invoke(upstream.app, words)


def everything_in(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_an_extract_by_nhs_number_becomes_a_store_of_pseudonyms(extract, key_file, tmp_path):
    done = ingest(extract, tmp_path / "store", "--nhs-key-file", str(key_file))
    assert done.exit_code == 0, done.output
    records = Records.load(tmp_path / "store")
    assert sorted(records.patient_ids) == sorted(
        [NhsKey("k1", KEY).pseudonym("9434765919"), NhsKey("k1", KEY).pseudonym("9434765870"), "L7"]
    )
    # The row under a slip of the keys belongs to nobody: it is set aside and counted, and its number goes no further.
    assert len(records["supplies"]) == 2 and "supplies: 1 rows set aside" in done.output
    kept = everything_in(tmp_path / "store")
    assert not [n for n in (b"9434765919", b"943 476 5919", b"9434765870", b"9434765918") if n in kept]


def test_an_extract_by_nhs_number_without_a_key_is_refused(extract, tmp_path):
    done = ingest(extract, tmp_path / "store")
    assert done.exit_code == 1 and "2 ids are NHS numbers" in done.output and "--nhs-key-file" in done.output
    assert "943" not in done.output and not (tmp_path / "store").exists()


# Where numbers come in: a request


def score(client, headers, *people):
    body = {"people": [{"tables": {}, **person} for person in people]}
    return client.post("/v1/scores", json=body, headers=headers)


def test_a_request_by_nhs_number_is_answered_by_pseudonym(home, start, key_file):
    headers = {"Authorization": f"Bearer {issue_token(home, 'cmht_system', None)}"}
    with start(home, nhs_key_file=key_file) as client:
        answer = score(client, headers, {"nhs_number": "943 476 5919"}, {"patient_id": "L7"})
        assert answer.status_code == 200, answer.text
        names = [person["patient_id"] for person in answer.json()["people"]]
        assert names == [NhsKey("k1", KEY).pseudonym("9434765919"), "L7"]
        event = client.app.state.service.database
        with event.read() as connection:
            logged = connection.execute(
                select(audit_events.c.patient_ids).order_by(audit_events.c.seq.desc()).limit(1)
            ).scalar()
        assert logged == names
        twice = score(client, headers, {"nhs_number": "9434765919"}, {"nhs_number": "943 476 5919"})
        assert twice.status_code == 422


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ({"nhs_number": "9434765918"}, "is no NHS number"),
        ({"nhs_number": "not one"}, "is no NHS number"),
        ({"patient_id": "9434765919"}, "is an NHS number"),
        ({"patient_id": "943 476 5919"}, "is an NHS number"),
        ({"patient_id": "L7", "nhs_number": "9434765919"}, "exactly one"),
        ({}, "exactly one"),
    ],
    ids=str,
)
def test_a_wrong_or_misplaced_number_is_refused_and_not_repeated(client, as_role, person, said):
    answer = score(client, as_role("cmht_system"), person)
    assert answer.status_code == 422 and said in answer.json()["errors"][0]["what"]
    assert "94347" not in answer.text and "943 " not in answer.text


def test_without_a_key_no_number_is_taken(client, as_role):
    answer = score(client, as_role("cmht_system"), {"nhs_number": "9434765919"})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:upstream:problem:no-nhs-key")


def test_no_number_is_ever_at_rest(home, start, key_file):
    """Sent in every place that takes a person, it is in no table of the database afterwards, the audit log included."""
    number = "9434765919"
    tokens = {
        role: issue_token(home, role, ["north"] if role == "pharmacist" else None)
        for role in ("pharmacist", "auditor", "cmht_system")
    }
    headers = {role: {"Authorization": f"Bearer {token}"} for role, token in tokens.items()}
    with start(home, nhs_key_file=key_file) as client:
        client.post("/sign-in", data={"choice": "pharmacist:north"})
        proof = client.get("/").text.split('name="proof" value="')[1].split('"')[0]
        statuses = [
            client.get(f"/v1/patients/{number}", headers=headers["pharmacist"]).status_code,
            client.get(f"/v1/patients/{number}/reviews", headers=headers["pharmacist"]).status_code,
            client.post(
                f"/v1/patients/{number}/emergency-access", json={"reason": "crisis_call"}, headers=headers["pharmacist"]
            ).status_code,
            client.get("/v1/audit/events", params={"patient_id": number}, headers=headers["auditor"]).status_code,
            client.get(f"/patients/{number}").status_code,
            client.post(
                "/emergency-access", data={"proof": proof, "patient_id": number, "reason": "crisis_call"}
            ).status_code,
            score(client, headers["cmht_system"], {"patient_id": number}).status_code,
        ]
        assert statuses == [422] * 7
        assert score(client, headers["cmht_system"], {"nhs_number": number}).status_code == 200
    kept = everything_in(home)
    assert number.encode() not in kept and b"943 476 5919" not in kept
    assert NhsKey("k1", KEY).pseudonym(number).encode() in kept  # the search would find it
