"""Small tables drawn in tests: a header line, then one line a row; ``-`` is a missing value."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from features import Records

TODAY = dt.date(2026, 1, 5)


def table(text: str) -> pd.DataFrame:
    """A DataFrame of text from a table drawn with spaces between its columns."""
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    header, rows = lines[0], lines[1:]
    for row in rows:
        assert len(row) == len(header), f"row {row} does not fit {header}"
    return pd.DataFrame(
        [
            [
                None if cell == "-" else cell.replace("_", " ") if column == "medicine" else cell
                for column, cell in zip(header, row, strict=True)
            ]
            for row in rows
        ],
        columns=header,
        dtype="object",
    )


def records(today: dt.date = TODAY, **tables: str) -> Records:
    """Records from drawn tables. People who are only named in other tables get a row in ``patients``; contact and
    referral ids are made up."""
    frames = {name: table(text) for name, text in tables.items()}
    if "patients" not in frames:
        named = {p for frame in frames.values() if "patient_id" in frame for p in frame["patient_id"]}
        frames["patients"] = pd.DataFrame({"patient_id": sorted(named)})
    for name, key in (("contacts", "contact_id"), ("referrals", "referral_id")):
        if name in frames and key not in frames[name]:
            frames[name][key] = [f"{key}-{n}" for n in range(len(frames[name]))]
    made = Records.from_frames(frames, today=today)
    assert not len(made.quarantine), made.quarantine.to_string()
    return made


def spine(*rows: str) -> pd.DataFrame:
    """A spine from lines such as ``"anna 2025-06-01"``."""
    return pd.DataFrame([row.split() for row in rows], columns=["patient_id", "as_of"])
