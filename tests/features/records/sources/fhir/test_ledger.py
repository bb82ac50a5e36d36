"""The version ledger: what was seen when, and the replay law."""

from __future__ import annotations

import datetime as dt
import json
import random

import numpy as np
import pyarrow.parquet as pq
import pytest

from features import Records, RecordsError, find_gaps
from features.records.ledger import Ledger, Versions
from features.records.ledger import ledger as ledger_module
from features.records.reading.nhs_numbers import NhsKey
from features.records.sources.fhir import ingest
from features.records.sources.fhir.replay import ingest_with_ledger, replay
from tests.examples import examples
from tests.features.records.sources.fhir.resources import (
    ANNA,
    LOINC,
    NHS_NUMBER,
    SNOMED,
    SUBJECT,
    coded,
    ndjson,
    one,
    rows,
    to,
)

DAY = dt.date(2025, 3, 1)
DAYS = 12
"""Exports of the law of replays; each day is built twice."""


def anc(value=2.1, name="o1", **fields):
    return one(
        "Observation", name, status="final", code=coded((LOINC, "751-8")), subject=SUBJECT,
        effectiveDateTime="2025-03-01", issued="2025-03-02T09:00:00Z", **fields,
        valueQuantity={"value": value, "code": "10*9/L"},
    )  # fmt: skip


def booked(status="booked", start="2025-03-05T09:00:00Z", **fields):
    actors = [{"actor": SUBJECT}]
    return one("Appointment", "a1", status=status, start=start, created="2025-02-20", participant=actors, **fields)


class World:
    """Exports of a small trust into one ledger, day by day."""

    def __init__(self, folder):
        self.folder, self.ledger, self.number = folder, folder / "ledger", 0

    def export(self, day, *resources, deleted=(), time="02:00:00Z", **options):
        self.number += 1
        folder = ndjson(self.folder / f"export-{self.number}", *resources)
        files = {"output": [{"url": "x/all.ndjson"}]}
        if deleted:
            entries = [{"request": {"method": "DELETE", "url": key}} for key in deleted]
            ndjson(folder, {"resourceType": "Bundle", "type": "transaction", "entry": entries}, name="deleted.ndjson")
            files["deleted"] = [{"url": "x/deleted.ndjson"}]
        (folder / "manifest.json").write_text(json.dumps({"transactionTime": f"{day}T{time}", **files}))
        out = self.folder / f"store-{self.number}"
        report = ingest_with_ledger(folder, out, self.ledger, **options)
        return Records.load(out, today=day + dt.timedelta(days=1)), report

    def replay(self, day):
        out = self.folder / f"replay-{day}"
        replay(day, out, self.ledger)
        return Records.load(out, today=day)


def days(number):
    return DAY + dt.timedelta(days=number)


def test_what_the_first_export_held_was_known_at_business_time(tmp_path):
    records, _ = World(tmp_path).export(days(9), ANNA, anc())
    assert rows(records, "results", "taken_on", "known_on") == [("2025-03-01", "2025-03-02")]


def test_what_appears_later_was_known_on_the_day_of_its_export(tmp_path):
    world = World(tmp_path)
    world.export(days(9), ANNA)
    records, report = world.export(days(10), anc())
    assert rows(records, "results", "taken_on", "known_on") == [("2025-03-01", "2025-03-11")]
    assert report["export"]["versions"] == {"new": 1, "changed": 0, "unchanged": 0, "deleted": 0, "not_sent": 1}


@pytest.mark.parametrize(
    "words",
    ["2.1 mmol/L", "<0.2 mmol/L", "2.1", "\u2264 0.2", "0.2 L", "haemolysed", "QNS ", "2.1 for Anna", "2.1 furlong"],
)
def test_a_result_in_words_is_read_as_it_is_without_a_ledger(tmp_path, words):
    level = {k: v for k, v in anc().items() if k != "valueQuantity"}
    level |= {"code": coded((LOINC, "14334-7")), "valueString": words}
    folder = ndjson(tmp_path / "plain", ANNA, level)
    ingest(folder, tmp_path / "store", exported=days(9))
    records, _ = World(tmp_path).export(days(9), ANNA, level)
    plain = Records.load(tmp_path / "store", today=days(10))
    columns = ("test", "value", "comparator", "unit")
    assert rows(records, "results", *columns) == rows(plain, "results", *columns)
    assert len(records.unread) == len(plain.unread)
    assert len(plain["results"]) == ("mmol" in words)


@pytest.mark.parametrize("concept", [{"text": "Clozapine 100mg tablets"}, coded((SNOMED, "1"), text="Clozaril 25mg")])
def test_a_medicine_by_name_alone_stays_with_the_person(tmp_path, concept):
    order = one("MedicationRequest", status="active", intent="order", authoredOn="2025-03-01", subject=SUBJECT)
    world = World(tmp_path)
    records, _ = world.export(days(9), ANNA, {**order, "medicationCodeableConcept": concept})
    for read in (records, world.replay(days(10))):
        (unread,) = read.unread_of(read.patient_ids[0])
        assert unread.value == f"{concept['text']} - a name without a code"


def test_a_line_sent_again_changes_nothing_even_where_the_system_touched_it(tmp_path):
    world = World(tmp_path)
    world.export(days(9), ANNA, anc())
    touched = anc(meta={"lastUpdated": "2025-03-11T01:00:00Z", "versionId": "2"})
    records, report = world.export(days(10), touched)
    assert rows(records, "results", "known_on") == [("2025-03-02",)]
    assert report["export"]["versions"]["unchanged"] == 1


def test_a_changed_outcome_dates_only_the_outcome(tmp_path):
    world = World(tmp_path)
    world.export(days(0), ANNA, booked())
    records, _ = world.export(days(5), booked("noshow"))
    assert rows(records, "contacts", "outcome", "known_on", "outcome_known_on") == [
        ("did_not_attend", "2025-02-20", "2025-03-06")
    ]


def test_a_corrected_value_was_known_on_the_day_of_the_correction(tmp_path):
    world = World(tmp_path)
    world.export(days(5), ANNA, anc(2.1))
    records, _ = world.export(days(8), anc(0.4))
    assert rows(records, "results", "value", "known_on") == [(0.4, "2025-03-09")]
    assert rows(world.replay(days(8)), "results", "value") == [(2.1,)]


@pytest.mark.parametrize("how", ["deleted", "entered in error", "restricted"])
def test_what_is_gone_leaves_the_store_and_stays_in_that_of_earlier_days(tmp_path, how):
    world = World(tmp_path)
    world.export(days(5), ANNA, anc())
    if how == "deleted":
        records, _ = world.export(days(8), ANNA, deleted=["Observation/o1"])
    elif how == "restricted":
        records, _ = world.export(days(8), anc(meta={"security": [{"code": "R"}]}))
    else:
        records, _ = world.export(days(8), {**anc(), "status": "entered-in-error"})
    assert len(records["results"]) == 0
    assert len(world.replay(days(8))["results"]) == 1
    back, _ = world.export(days(10), anc())
    assert rows(back, "results", "known_on") == [("2025-03-11",)]


def test_an_export_of_changes_is_read_with_what_earlier_exports_brought(tmp_path):
    world = World(tmp_path)
    world.export(days(0), ANNA, booked())
    seen = {**one("Encounter", "e1", status="finished", subject=SUBJECT), "class": {"code": "AMB"}}
    records, _ = world.export(
        days(6), {**seen, "appointment": [to("Appointment/a1")], "period": {"start": "2025-03-05T09:00:00Z"}}
    )
    assert rows(records, "contacts", "contact_id", "outcome", "outcome_known_on") == [("a1", "attended", "2025-03-07")]


def test_an_export_out_of_order_and_a_day_before_the_first_are_refused(tmp_path):
    world = World(tmp_path)
    world.export(days(5), ANNA)
    with pytest.raises(RecordsError, match="after one of 2025-03-06"):
        world.export(days(4), ANNA)
    with pytest.raises(RecordsError, match="no export before 2025-03-06"):
        world.replay(days(5))


def test_two_exports_of_one_day_are_taken_in_the_order_of_their_times(tmp_path):
    world = World(tmp_path)
    world.export(days(5), ANNA, anc(1.0), time="02:00:00Z")
    records, _ = world.export(days(5), anc(2.0), time="20:00:00Z")
    assert rows(records, "results", "value") == [(2.0,)]
    world.export(days(5), anc(2.0), time="22:00:00+02:00")  # the same moment, written in another zone
    with pytest.raises(RecordsError, match=r"an export of 2025-03-06T09:00:00\+00:00 after one of 2025-03-06T20:00:00"):
        world.export(days(5), anc(1.0), time="09:00:00Z")


def test_a_deletion_sent_before_its_record_changes_nothing(tmp_path):
    world = World(tmp_path)
    world.export(days(5), ANNA, deleted=["Observation/o1"])
    records, _ = world.export(days(6), anc(2.0))
    assert rows(records, "results", "value") == [(2.0,)]


def test_the_ledger_holds_no_name_no_number_and_no_free_text(tmp_path):
    person = {**ANNA, "identifier": [{"system": NHS_NUMBER, "value": "9434765919"}], "name": [{"family": "Mustermann"}]}
    said = anc(note=[{"text": "unhappy"}], valueString="secret words")
    World(tmp_path).export(days(0), person, said, nhs_key=NhsKey("k1", b"x" * 32))
    (segment,) = (tmp_path / "ledger").glob("0*.parquet")
    held = b"".join(payload for payload in pq.read_table(segment)["payload"].to_pylist())
    for word in (b"9434765919", b"Mustermann", b"unhappy", b"secret words"):
        assert word not in held
    assert b"=nhs:k1." in held


def test_an_export_costs_as_much_after_300_exports_as_after_30(tmp_path, monkeypatch):
    """Counted, not timed: the files and rows that an export reads, the keys it looks up, and the rows it writes."""
    counted = []
    read, write, find = pq.read_table, pq.write_table, ledger_module._find
    monkeypatch.setattr(pq, "read_table", lambda *a, **o: [t := read(*a, **o), counted.append(("read", len(t)))][0])
    monkeypatch.setattr(pq, "write_table", lambda t, *a, **o: [write(t, *a, **o), counted.append(("write", len(t)))][0])
    monkeypatch.setattr(
        ledger_module, "_find", lambda head, key, check: [find(head, key, check), counted.append(("find", len(key)))][0]
    )
    names, same = [f"Observation/o{n}" for n in range(50)], np.arange(50, dtype=np.uint64)
    ledger, costs = Ledger(tmp_path / "ledger"), []
    for number in range(301):
        counted.clear()
        changed = same + np.uint64(1_000 * number) * (same < 5)  # five of fifty records change every day
        ledger.append(20_000 + number, Versions(names, [b"{}"] * 50, changed, same))
        costs.append(sorted(counted))
    assert costs[30] == costs[300] == [("find", 0), ("find", 50), ("read", 50), ("write", 5), ("write", 50)]


def changing(rng, state):
    """A day at the trust: bookings, outcomes, results, corrections and closures of twenty people, and what was
    deleted."""
    number = state["day"]
    made, gone = [], []
    for person in range(20):
        who = to(f"Patient/p{person}")
        if number == 0 or rng.random() < 0.05:
            made.append(one("Patient", f"p{person}", birthDate=f"19{60 + person}-01-0{rng.randint(1, 9)}"))
        if number == 0:
            made.append(
                one("EpisodeOfCare", f"e{person}", status="active", patient=who, period={"start": "2025-01-01"},
                    team=[to("CareTeam/T1")])
            )  # fmt: skip
        if rng.random() < 0.4:
            name = f"o{person}-{rng.randint(0, 5)}"
            made.append(
                {
                    **anc(round(rng.uniform(0.3, 6), 1), name),
                    "subject": who,
                    "effectiveDateTime": str(days(rng.randint(-60, number))),
                }
            )
            state["results"].add(f"Observation/{name}")
        if rng.random() < 0.3:
            status = rng.choice(["booked", "noshow", "fulfilled", "cancelled"])
            start = f"{days(rng.randint(-30, number + 10))}T09:00:00Z"
            made.append(
                {**booked(status, start), "id": f"a{person}-{rng.randint(0, 8)}", "participant": [{"actor": who}]}
            )
        if rng.random() < 0.3:
            made.append(
                one("MedicationDispense", f"d{person}-{rng.randint(0, 9)}", status="completed", subject=who,
                    medicationCodeableConcept=coded((SNOMED, "96221003")), daysSupply={"value": 28, "code": "d"},
                    whenHandedOver=f"{days(rng.randint(-60, number))}T10:00:00Z")
            )  # fmt: skip
        if rng.random() < 0.03:
            ended = {"start": "2025-01-01", "end": str(days(number))}
            made.append(one("EpisodeOfCare", f"e{person}", status="finished", patient=who, period=ended,
                            team=[to("CareTeam/T1")]))  # fmt: skip
    if state["results"] and rng.random() < 0.5:
        gone.append(rng.choice(sorted(state["results"])))
    return made, gone


def everything(folder):
    """The bytes of a store, and the list of overdue or missing care that stood on its day."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix == ".parquet"}
    return files


def mutated(rng, line):
    """A resource as a later export might bring it: a value, a status, a day or a person changed, or everything."""
    resource = json.loads(line)
    field = rng.choice([name for name in resource if name != "resourceType"] or ["id"])
    kind = rng.randint(0, 3)
    if kind == 0:
        resource.pop(field)
    elif kind == 1:
        resource[field] = rng.choice([None, 7, "x", [], {}, {"reference": "Patient/p3"}])
    elif kind == 2:
        resource["id"] = f"m{rng.randint(0, 10**6)}"
    else:
        resource["status"] = rng.choice(["cancelled", "entered-in-error", "final", "finished"])
    text = json.dumps(resource)
    return text[: rng.randint(1, len(text))] if rng.random() < 0.05 else text


@pytest.mark.slow
def test_any_earlier_store_and_list_can_be_rebuilt_after_later_exports(tmp_path):
    """After daily exports with changes the store and the list of any earlier day are rebuilt byte for byte, and 2,000
    mutated lines in later exports (20,000 with ``UPSTREAM_EXAMPLES=10``) change none of them. Every fifth day is looked
    at before those exports too."""
    rng = random.Random(20260105)
    world, state = World(tmp_path), {"day": 0, "results": set()}
    stood, lists, sent = {}, {}, []
    for number in range(DAYS):
        state["day"] = number
        made, gone = changing(rng, state)
        sent += [json.dumps(resource) for resource in made]
        records, _ = world.export(days(number), *made, deleted=gone)
        stood[number + 1] = everything(tmp_path / f"store-{world.number}")
        lists[number + 1] = find_gaps(records, str(days(number + 1))).to_csv()
    assert len(set(lists.values())) > DAYS / 2, "the days must differ for the law to say anything"

    def check(every):
        for number in range(every, DAYS + 1, every):
            records = world.replay(days(number))
            assert everything(tmp_path / f"replay-{days(number)}") == stood[number]
            assert find_gaps(records, str(days(number))).to_csv() == lists[number]

    check(every=5)
    for number in range(DAYS, DAYS + 2):
        folder = tmp_path / f"mutated-{number}"
        folder.mkdir()
        lines = [mutated(rng, rng.choice(sent)) for _ in range(examples(1_000))]
        (folder / "all.ndjson").write_text("\n".join(lines))
        ingest_with_ledger(folder, tmp_path / "mutated-store", world.ledger, exported=days(number))
    check(every=1)
