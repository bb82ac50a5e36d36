"""CSV files as they arrive: what can only mean one thing is read, the rest is named by its line."""

from __future__ import annotations

import pytest

from features.records.reading.csv_files import UnreadableCsv, read_csv

HEAD = "patient_id,birth_date,sex\n"


def rows(tmp_path, data: bytes) -> list[dict[str, str | None]]:
    path = tmp_path / "patients.csv"
    path.write_bytes(data)
    return read_csv(path).to_pylist()


@pytest.mark.parametrize(
    "data",
    [
        (HEAD + "p1,1980-05-17,female\n").encode(),
        (HEAD + "p1,1980-05-17,female").encode("utf-8-sig"),
        (HEAD + "p1,1980-05-17,female\r\n").encode("utf-16"),
        (HEAD + "p1,1980-05-17,female\n").replace(",", ";").encode(),
        (HEAD + "p1,1980-05-17,female\n").replace(",", "\t").encode(),
        (HEAD.strip() + ",,\np1,1980-05-17,female,,\n").encode(),
        (b'"patient_id", "birth_date","sex"\n"p1","1980-05-17","female"\n'),
    ],
)
def test_encodings_delimiters_and_nameless_columns(tmp_path, data):
    assert rows(tmp_path, data) == [{"patient_id": "p1", "birth_date": "1980-05-17", "sex": "female"}]


@pytest.mark.parametrize(
    "data", [HEAD.encode(), HEAD.strip().encode(), HEAD.encode("utf-8-sig"), HEAD.encode("utf-16")]
)
def test_a_header_alone_is_a_table_without_rows(tmp_path, data):
    assert rows(tmp_path, data) == []


BODY = "".join(f"p{i},1980-05-17,female\n" for i in range(5000))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        ((HEAD + "p1,1980-05-17,other \u2013 x\n").encode("cp1252"), "line 2 is not UTF-8"),
        ((HEAD + BODY + "p,1980-05-17,wei\u00df\n").encode("latin-1"), "line 5,002 is not UTF-8"),
        (HEAD.encode("utf-16")[2:], "NUL"),
        ((HEAD.strip() + ",sex\np1,,,\n").encode(), "sex more than once"),
        ((HEAD + BODY + "p,1980-05-17,White, British\n").encode(), "line 5,002 has 4 fields where the header has 3"),
        ((HEAD + BODY + "(5000 rows affected)\n").encode(), "line 5,002 has 1 fields where the header has 3"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(tmp_path, data, said):
    with pytest.raises(UnreadableCsv, match=said):
        rows(tmp_path, data)
