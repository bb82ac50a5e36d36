"""What the quick reader accepts, it reads as the strict reader does; everything else it leaves to the strict reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serving.http.json_scan import scan
from serving.scoring import reading
from serving.scoring.quick_reading import quick_people, quick_person, quick_scores
from serving.scoring.reading import Unreadable, read_scores
from serving.scoring.schemas import EXAMPLE, MAX_PEOPLE, MAX_TEXT, ROWS, PersonIn, ScoresRequest


def strictly(body: bytes) -> ScoresRequest:
    return reading._read(body, ScoresRequest.model_validate, reading._request)


def as_read(request: ScoresRequest) -> str:
    """Values with their types, rows by column: 28 is not 28.0, and True is not 1."""
    people = [
        (one.patient_id, one.nhs_number, [(table, [sorted(row.items()) for row in one.rows(table)]) for table in ROWS])
        for one in request.people
    ]
    return repr((request.as_of, people))


def of(*rows: dict, table: str = "supplies", **person: object) -> bytes:
    return json.dumps({"people": [{"patient_id": "a", "tables": {table: list(rows)}, **person}]}).encode()


USUAL = {
    "the example": json.dumps(EXAMPLE).encode(),
    "a whole number": of({"medicine": "clozapine", "days_supplied": 28}),
    "true, false, null": of({"as_required": True}, {"as_required": False, "medicine": None}),
    "a negative zero and an exponent": b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": -0.0}, '
    b'{"value": 1e-7}, {"value": 12.5E2}]}}]}',
    "escapes": of({"medicine": 'a"b\\c\u00e9\u2028\U0001f600'}),
    "a column by another spelling": b'{"people": [{"patient_id": "a", "tables": {"stays": [{"w\\u0061rd": "x"}]}}]}',
    "an NHS number": json.dumps({"people": [{"nhs_number": "943 476 5919", "tables": {}}]}).encode(),
    "no table": of(),
}
ODD = {
    "a name twice": b'{"people": [{"patient_id": "a", "tables": {"supplies": [{"route": "x", "route": "y"}]}}]}',
    "a table twice": b'{"people": [{"patient_id": "a", "tables": {"stays": [], "stays": []}}]}',
    "a long text": of({"medicine": "x" * (MAX_TEXT + 1)}),
    "a list in a cell": of({"medicine": [1]}),
    "an object in a cell": of({"medicine": {"a": 1}}),
    "an unknown column": of({"Canary": 1}),
    "an unknown table": of({}, table="canary"),
    "an unknown member": of({}, canary=1),
    "a number for an id": of({"patient_id": 5}),
    "another's id": of({"patient_id": "b"}),
    "a huge whole number": of({"days_supplied": 2**70}),
    "a whole number that no float holds": of({"days_supplied": 2**53 + 1}),
    "not a number": b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": NaN}]}}]}',
    "beyond every float": b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": 1e400}]}}]}',
    "half a pair": b'{"people": [{"patient_id": "a", "tables": {"results": [{"unit": "\\ud800"}]}}]}',
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(EXAMPLE).encode(),
    "UTF-16": json.dumps(EXAMPLE).encode("utf-16"),
    "no UTF-8": b'{"people": [{"patient_id": "\xff", "tables": {}}]}',
    "a control character": b'{"people": [{"patient_id": "a", "tables": {"results": [{"unit": "a\nb"}]}}]}',
    "a leading zero": b'{"people": [{"patient_id": "a", "tables": {"results": [{"value": 01}]}}]}',
    "more after the end": json.dumps(EXAMPLE).encode() + b"1",
    "cut off": json.dumps(EXAMPLE).encode()[:-3],
    "a list": b"[]",
    "null": b"null",
    "a number": b"5",
    "a text": b'"people"',
    "people that are null": b'{"people": null}',
    "a person that is null": b'{"people": [null]}',
    "tables that are null": b'{"people": [{"patient_id": "a", "tables": null}]}',
    "a table that is null": b'{"people": [{"patient_id": "a", "tables": {"stays": null}}]}',
    "a row that is null": b'{"people": [{"patient_id": "a", "tables": {"stays": [null]}}]}',
    "nothing": b"",
    "nested deep": b"[" * 5_000,
    "somebody twice": json.dumps({"people": [{"patient_id": "a", "tables": {}}] * 2}).encode(),
    "no people": b'{"people": []}',
    "a day that is none": b'{"as_of": "2025-02-30", "people": [{"patient_id": "a", "tables": {}}]}',
}


@pytest.mark.parametrize("case", USUAL)
def test_a_usual_body_is_read_quickly_and_as_the_strict_reader_reads_it(case):
    found = quick_scores(USUAL[case])
    assert found is not None and as_read(found) == as_read(strictly(USUAL[case]))


@pytest.mark.parametrize("case", USUAL)
def test_a_person_at_a_time_it_is_read_the_same(case):
    found = quick_people(USUAL[case], len(USUAL[case]))
    assert found is not None and as_read(found) == as_read(strictly(USUAL[case]))


def test_people_of_a_large_body_are_told_apart_however_it_is_written():
    people = [{"patient_id": f'}}],[{{"{n}', "tables": {"results": [{"unit": '\\"}]', "value": n}]}} for n in range(5)]
    for body in (
        json.dumps({"as_of": "2025-02-03", "people": people}, indent=3).encode(),
        json.dumps({"people": people, "as_of": "2025-02-03"}, separators=(",", ":"), ensure_ascii=False).encode(),
    ):
        found = quick_people(body, 400)
        assert found is not None and as_read(found) == as_read(strictly(body))


@pytest.mark.parametrize("case", ODD)
def test_a_person_at_a_time_any_other_is_left_to_the_strict_reader(case):
    assert quick_people(ODD[case], len(ODD[case])) is None


PERSON = b'{"patient_id": "%d", "tables": {}}'
A, B = PERSON % 1, PERSON % 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"people": [%s %s]}' % (A, B),
        b'{"people": [%s,, %s]}' % (A, B),
        b'{"people": [%s, %s,]}' % (A, B),
        b'{"people": [%s, 1, %s]}' % (A, B),
        b'{"people": [%s, [], %s]}' % (A, B),
        b'{"people": [1, %s]}' % A,
        b'{"people": [[%s]]}' % A,
        b'{"people": [%s], "people": [%s]}' % (A, B),
        b'{"people": [%s], "people": []}' % A,
        b'{"as_of": [%s], "people": [%s]}' % (A, B),
        b'{"as_of": [%s], "people": []}' % A,
        b'{"as_of": {"people": %s}}' % A,
        b'{"canary": [%s]}' % A,
        b'[{"people": [%s]}]' % A,
        b"[[%s]]" % A,
        b'{"people": [%s]} %s' % (A, B),
        b'{"people": [%s]' % A,
        b'{"people": [%s}' % A,
        b'{"people": [[}, %s]}' % A,
        b'{"people": [%s]}' % b", ".join(PERSON % n for n in range(MAX_PEOPLE + 1)),
    ],
)
def test_what_only_looks_like_a_list_of_people_is_left_to_the_strict_reader(body):
    assert quick_people(body, len(body)) is None
    answers = []
    for read in (
        lambda body: read_scores(body, len(body) - 1),
        lambda body: reading._read(body, None, reading._request),
    ):
        with pytest.raises(Unreadable) as refused:
            read(body)
        answers.append(refused.value.faults)
    assert answers[0] == answers[1]


def test_a_person_or_a_rest_of_many_bytes_is_left_to_the_strict_reader():
    body = json.dumps({"people": [{"patient_id": "a", "tables": {}}, {"patient_id": "b", "tables": {}}]}).encode()
    assert quick_people(body, 40) is not None
    assert quick_people(body, 30) is None
    assert quick_people(body[:-1] + b" " * 40 + b"}", 40) is None


@pytest.mark.parametrize("case", ODD)
def test_any_other_is_left_to_the_strict_reader(case):
    assert quick_scores(ODD[case]) is None


@pytest.mark.parametrize("case", ODD)
def test_the_answer_to_it_is_the_strict_readers(case):
    answers = []
    for read in (read_scores, strictly):
        try:
            answers.append(as_read(read(ODD[case])))
        except Unreadable as error:
            answers.append(error.faults)
    assert answers[0] == answers[1]


CELL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
ROW = st.dictionaries(st.sampled_from(["medicine", "route", "days_supplied", "as_required", "patient_id"]), CELL)


@given(rows=st.lists(ROW, max_size=4), ascii=st.booleans())
@example(rows=[{"medicine": "", "route": "\x7f"}], ascii=False)
@settings(max_examples=300, deadline=None)
def test_whatever_the_cells_hold_the_two_agree(rows, ascii):
    body = json.dumps({"people": [{"patient_id": "a", "tables": {"supplies": rows}}]}, ensure_ascii=ascii).encode(
        errors="surrogatepass"
    )
    found = quick_scores(body)
    if found is not None:
        assert as_read(found) == as_read(strictly(body))


BODY = json.dumps(EXAMPLE, ensure_ascii=False).encode()


@given(place=st.integers(0, len(BODY) - 1), cut=st.integers(0, 3), put=st.binary(max_size=3))
@settings(max_examples=500, deadline=None)
def test_of_a_body_that_was_damaged_nothing_is_read_that_the_strict_reader_refuses(place, cut, put):
    body = BODY[:place] + put + BODY[place + cut :]
    found = quick_scores(body)
    if found is not None:
        assert as_read(found) == as_read(strictly(body))


def test_a_line_of_a_stream_is_read_the_same_way():
    line = json.dumps(EXAMPLE["people"][0]).encode()
    assert quick_person(line) == PersonIn.model_validate(EXAMPLE["people"][0])
    assert quick_person(line[:-1]) is None
    assert quick_person(b"null") is None
    assert quick_person(b'{"patient_id": "a", "patient_id": "a", "tables": {}}') is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a": 1, "b": {"a": 2, "a": 3}}', (4, 1, 1)),
        (b'["a:b", "c\\":d", 12345]', (0, 5, 5)),
        (b'{"a\\\\": "12345678901234567890"}', (1, 20, 0)),
        (b'"', (0, 0, 0)),
        (b'"\\', (0, 2, 0)),
        (b"", (0, 0, 0)),
    ],
)
def test_a_scan_counts_what_stands_outside_texts(text, expected):
    assert scan(text) == expected
