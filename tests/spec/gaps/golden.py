"""Golden cases of the care gaps: small drawn tables, and the answer that docs/clinical.md and the reference tables
give.

Every case is one person. Days are written from the day of the question: ``d`` is that day (00:00 of 1 July 2025),
``d-28`` lies 28 days before. A cell ``-`` in the table of cases leaves out the line that uses it. Rows are known on
the day they happen unless ``known_on`` says otherwise.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import pandas as pd

from features import Records, find_gaps
from features.records.tables import TABLES
from features.reference import TESTS
from tests.tables import TODAY, table

AS_OF = dt.date(2025, 7, 1)
_DAY = re.compile(r"\bd(?:([+-])(\d+))?(?![\w])")
_ANSWERS = ("severity", "due", "overdue", "verified", "says", "why")
_LATE = {
    "contacts": (("outcome_known_on", "contact_on"),),
    "stays": (("discharge_known_on", "discharged_on"),),
    "referrals": (("closed_known_on", "closed_on"),),
}


def date(text: str) -> str:
    """``d-28`` as ISO text."""

    def iso(match: re.Match[str]) -> str:
        sign, days = match.groups()
        return (AS_OF + dt.timedelta(days=int(days or 0) * (-1 if sign == "-" else 1))).isoformat()

    return _DAY.sub(iso, text)


@dataclass(frozen=True)
class Case:
    """One person and what is expected: ``severity`` "-" where the gap must not fire; ``says`` must stand in the
    value."""

    code: str
    name: str
    tables: dict[str, str]
    severity: str
    due: str
    overdue: str
    verified: str
    says: str

    def __str__(self) -> str:
        return f"{self.code}: {self.name}"


def family(code: str, cases: str, **templates: str) -> list[Case]:
    """Cases that share their tables: a line of ``cases`` fills the ``{holes}`` of the templates and gives the
    answer."""
    lines = [line.split() for line in cases.strip().splitlines() if line.strip()]
    header, made = lines[0], []
    for cells in lines[1:]:
        assert len(cells) == len(header), f"{code}: {cells} does not fit {header}"
        row = dict(zip(header, cells, strict=True))
        holes = {name: value for name, value in row.items() if name not in _ANSWERS}
        tables = {name: _fill(text, holes) for name, text in templates.items()}
        name = row.get("why", "").replace("_", " ") or " ".join(f"{k}={v}" for k, v in holes.items()) or "as drawn"
        answers = {key: row.get(key, "-") for key in _ANSWERS if key != "why"}
        made.append(Case(code, f"{name} -> {row['severity']}", tables, **answers))
    return made


def _fill(text: str, holes: dict[str, str]) -> str:
    lines = []
    for line in text.strip().splitlines():
        used = re.findall(r"{(\w+)}", line)
        if any(holes[name] == "-" for name in used):
            continue
        lines.append(line.format(**holes))
    return date("\n".join(lines))


def frames(case: Case, patient: str) -> dict[str, pd.DataFrame]:
    """The tables of one case, with what is not drawn: the person, the clocks, units and ids."""
    made: dict[str, pd.DataFrame] = {}
    for name, text in case.tables.items():
        frame = table(text)
        frame.insert(0, "patient_id", patient)
        event = TABLES[name].event_day
        if "known_on" not in frame and event:
            frame["known_on"] = frame[event]
        for late, day in _LATE.get(name, ()):
            if late not in frame:
                frame[late] = frame.get(day)
        if name == "contacts":
            frame["contact_id"] = [f"{patient}-{n}" for n in range(len(frame))]
            for column, usual in (("mode", "face_to_face"), ("kind", "routine"), ("outcome", "attended")):
                if column not in frame:
                    frame[column] = usual
        if name == "referrals":
            frame["referral_id"] = [f"{patient}-{n}" for n in range(len(frame))]
            frame["team_id"] = "t1"
        if name == "results":
            if "value" not in frame:
                frame["value"] = None
            frame["unit"] = [
                TESTS[test].unit if value is not None and TESTS[test].unit else None
                for test, value in zip(frame["test"], frame["value"], strict=True)
            ]
        made[name] = frame
    if "patients" not in made:
        made["patients"] = pd.DataFrame({"patient_id": [patient]})
    return made


def records_of(cases: list[Case]) -> Records:
    """All cases in one set of records, each a person of its own."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for number, case in enumerate(cases):
        for name, frame in frames(case, f"p{number:04d}").items():
            parts.setdefault(name, []).append(frame)
    drawn = {name: pd.concat([f for f in found if len(f)] or found[:1]) for name, found in parts.items()}
    made = Records.from_frames(drawn, today=TODAY)
    set_aside = made.quarantine
    if len(set_aside):  # a case may hold a word that nobody understands: that it is set aside is its point
        set_aside = set_aside[~set_aside["reason"].str.startswith("a word that is not understood")]
    assert not len(set_aside), set_aside.to_string()
    return made


def gaps_of(cases: list[Case]) -> list[list[dict[str, Any]]]:
    """Every gap of every case, as dicts."""
    return by_case(find_gaps(records_of(cases), AS_OF), len(cases))


def by_case(gaps: pd.DataFrame, cases: int) -> list[list[dict[str, Any]]]:
    """What ``find_gaps`` found among ``cases`` cases, as the gaps of each."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(cases)]
    for row in gaps.to_dict("records"):
        found[int(row["patient_id"][1:])].append(row)
    return found


def check(case: Case, gaps: list[dict[str, Any]]) -> None:
    """Asserts that the gap of the case's code is as drawn."""
    mine = [gap for gap in gaps if gap["code"] == case.code]
    if case.severity == "-":
        assert not mine, f"must not fire: {mine[0]['value']}"
        return
    assert mine, "must fire"
    (gap,) = mine
    assert gap["severity"] == case.severity, gap["value"]
    due = None if pd.isna(gap["due_on"]) else gap["due_on"].date().isoformat()
    assert due == (None if case.due == "-" else date(case.due)), gap["value"]
    overdue = None if pd.isna(gap["days_overdue"]) else gap["days_overdue"]
    assert overdue == (None if case.overdue == "-" else float(case.overdue)), gap["value"]
    if case.verified != "-":
        assert gap["verified"] is (case.verified == "yes"), gap["source"]
    if case.says != "-":
        assert date(case.says.replace("_", " ")) in gap["value"], gap["value"]
