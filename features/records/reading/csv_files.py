"""CSV files as they arrive: from spreadsheets, databases and other countries' settings. Every value comes out as text
or missing, and a file that cannot be read is named by its line.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_SAMPLE = 65_536
_NAMED_LINES = 3


class UnreadableCsv(Exception):
    """A CSV file cannot be read. The message says which line and why, and holds no value of it."""


def read_csv(path: Path, nulls: tuple[str, ...] = ("",)) -> pa.Table:
    """The file as text columns. UTF-8 with or without a byte order mark, and UTF-16 with one; commas, semicolons or
    tabs, as the header shows. A header alone, with or without a line end, is a table without rows.

    Columns without a name and without values are left out. Raises ``UnreadableCsv``.
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise UnreadableCsv("the file is empty; a file with its header alone says that there are no rows")
    mark = next((mark for mark in _MARKS if sample.startswith(mark)), b"")
    source: Path | io.BytesIO = path
    if _MARKS.get(mark) == "utf-16":
        source, sample = _from_utf16(path)
    text = _first_line(sample.removeprefix(b"\xef\xbb\xbf"))
    delimiter = max(",;\t", key=text.count) if not text.count(",") else ","
    names = _column_names(text, delimiter)
    if len(sample) < _SAMPLE and len(sample.splitlines()) == 1:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    table = _parse(source, names, delimiter, nulls)
    blank = [name for name in names if name.startswith("(no name") and table[name].null_count == table.num_rows]
    return table.drop_columns(blank) if blank else table


def _from_utf16(path: Path) -> tuple[io.BytesIO, bytes]:
    try:
        data = path.read_bytes().decode("utf-16").encode()
    except UnicodeDecodeError:
        raise UnreadableCsv("the file starts as UTF-16 and is not; save it as CSV UTF-8") from None
    return io.BytesIO(data), data[:_SAMPLE]


def _first_line(sample: bytes) -> str:
    if b"\x00" in sample[:200]:
        raise UnreadableCsv("line 1 holds NUL bytes: UTF-16 without a mark, or no text; save it as CSV UTF-8")
    try:
        return sample.splitlines()[0].decode()
    except UnicodeDecodeError:
        raise UnreadableCsv(_not_utf8(1)) from None


def _not_utf8(line: int) -> str:
    return f"line {line:,} is not UTF-8 (a file saved as Windows-1252 looks so); save it as CSV UTF-8"


def _column_names(header: str, delimiter: str) -> list[str]:
    names = [
        name.strip().strip("\ufeff") for name in next(csv.reader([header], delimiter=delimiter, skipinitialspace=True))
    ]
    named = [name if name else f"(no name, column {place})" for place, name in enumerate(names, 1)]
    twice = [name for name, count in Counter(named).items() if count > 1]
    if twice:
        raise UnreadableCsv(f"the header names {', '.join(twice)} more than once; keep one column of each name")
    return named


def _parse(source: Path | io.BytesIO, names: list[str], delimiter: str, nulls: tuple[str, ...]) -> pa.Table:
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=list(nulls)
    )
    try:
        for within in (False, True):  # line ends inside quotes are rare, and slow to look for
            try:
                return pacsv.read_csv(
                    source,
                    read_options=pacsv.ReadOptions(column_names=names, skip_rows=1),
                    parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=within),
                    convert_options=convert,
                )
            except pa.ArrowInvalid:
                if isinstance(source, io.BytesIO):
                    source.seek(0)
                if within:
                    raise
    except pa.ArrowInvalid as error:
        raise UnreadableCsv(_where(source, names, delimiter) or f"no CSV table ({type(error).__name__})") from None
    raise AssertionError("both branches return or raise")


def _where(source: Path | io.BytesIO, names: list[str], delimiter: str) -> str:
    """Which lines cannot be read, and why: at most three are named."""
    data = source.read_bytes() if isinstance(source, Path) else source.getvalue()
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return _not_utf8(number)
    reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter)
    found: list[str] = []
    wrong = 0
    for row in reader:
        if row and len(row) != len(names):
            wrong += 1
            if len(found) < _NAMED_LINES:
                found.append(f"line {reader.line_num:,} has {len(row)}")
    if not wrong:
        return ""
    more = "" if wrong == len(found) else f" ({wrong:,} lines in all)"
    return f"{'; '.join(found)} fields where the header has {len(names)}{more}; quote a text that holds a comma"


def without_blank_lines(table: pa.Table) -> pa.Table:
    """The table without rows that hold nothing at all, such as the commas at the end of a spreadsheet."""
    if not table.num_rows or not table.num_columns:
        return table
    first = table.column(0)
    if not first.null_count:
        return table
    holds = first.is_valid()
    for column in table.columns[1:]:
        holds = pc.or_(holds, column.is_valid())
    return table.filter(holds)
