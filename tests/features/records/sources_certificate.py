"""The certificate of the doors: which features are equal, bit for bit, when the same trust comes in another way.

A simulated trust is written as FHIR, as OMOP and as MHSDS, read back, and every feature is computed for everybody on
one day from its own tables, from FHIR, from OMOP, and from MHSDS with the medicines and results of a second source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from features import Records, build
from features.records.sources import fhir, mhsds, omop
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.merging import merge_into
from features.records.sources.mhsds.rules import (
    EVALUATED,
    NOTHING_SENT,
    ValidationRule,
    check_all,
    read_rules,
    submissions_in,
)
from features.reference import TESTS
from tests.features.records.sources.omop import export as omop_export

DAYS_AFTER = 40
"""The day of the certificate: the submission of the last month, made at its end, is known by then."""


def day_of_certificate(records: Records) -> pd.Timestamp:
    """Forty days after the last day of the trust."""
    return pd.Timestamp(records.about["last_day"]) + pd.Timedelta(days=DAYS_AFTER)


def through_fhir(records: Records, folder: Path) -> Records:
    """The trust out as NDJSON and in again."""
    fhir.export(records, folder / "fhir")
    fhir.ingest(folder / "fhir", folder / "from-fhir")
    return Records.load(folder / "from-fhir")


def through_omop(records: Records, folder: Path) -> Records:
    """The trust out as OMOP and in again, under its own patient ids: OMOP's are numbers."""
    ours = omop_export.export(records, folder)
    mappings = folder / omop_export.MAPPINGS
    omop.ingest(folder / omop_export.EXTRACT, folder / "from-omop", mappings=mappings, about={"synthetic": True})
    read = Records.load(folder / "from-omop")
    frames = {name: read[name] for name in read.tables}
    for frame in frames.values():
        if "patient_id" in frame:
            frame["patient_id"] = frame["patient_id"].map(ours)
    return Records.from_frames(frames, about=read.about)


def through_mhsds(records: Records, folder: Path) -> Records:
    """The trust out as MHSDS and in again, merged with the medicines and results of its own tables."""
    mhsds.export(records, folder / "mhsds")
    mhsds.ingest(folder / "mhsds", folder / "from-mhsds", about={"synthetic": True})
    frames = {name: records[name] for name in ("patients", "supplies", "results")}
    frames["patients"] = frames["patients"][["patient_id"]]
    Records.from_frames(frames, about=records.about).save(folder / "medicines")
    merge_into(folder / "from-mhsds", folder / "medicines", "epma")
    return Records.load(folder / "from-mhsds")


def in_one_order(records: Records) -> Records:
    """The records with the rows of a day in one order: the order in which a door sends them says nothing."""
    frames = {}
    for name in records.tables:
        frame = records[name]
        columns = [c for c in frame if c != "patient_id"]
        keys = frame[columns].astype("str")
        frames[name] = frame.iloc[keys.assign(p=frame.iloc[:, 0].astype("str")).sort_values(["p", *columns]).index]
        frames[name] = frames[name].reset_index(drop=True)
    return Records.from_frames(frames, about=records.about)


def unequal(ours: Records, theirs: Records, as_of: pd.Timestamp) -> tuple[str, ...]:
    """Names of the features that are not equal, bit for bit, for everybody."""
    spine = pd.DataFrame({"patient_id": ours.patient_ids, "as_of": as_of})
    first, second = build(in_one_order(ours), spine), build(in_one_order(theirs), spine)
    assert list(first.names) == list(second.names)
    same = (first.values == second.values) | (np.isnan(first.values) & np.isnan(second.values))
    return tuple(name for name, good in zip(first.names, same.all(axis=0), strict=True) if not good)


def uncoded_tests() -> str:
    """The tests of ours that no SNOMED CT code of a public list means, by name."""
    coded = {test for (system, _), tests in load_codebook().tests.items() if system == "snomed" for test in tests}
    return ", ".join(f"`{test}`" for test in TESTS if test not in coded)


def fates_of_rules(records: Records, rules: Path, folder: Path) -> str:
    """What became of each validation rule on the last 12 submissions of these records: one row for each fate."""
    mhsds.export(records, folder / "rules", months=12)
    known = read_rules(rules)
    verdict = check_all(submissions_in(folder / "rules"), known)
    fates: dict[str, list[ValidationRule]] = {}
    for rule in known:
        fates.setdefault(verdict.fates[rule.code], []).append(rule)
    lines = ["| | rules | of them rejecting | items |", "|---|---:|---:|---|"]
    for fate, found in sorted(fates.items(), key=lambda pair: -len(pair[1])):
        items = dict.fromkeys(rule.item for rule in found)
        named = "" if fate in (EVALUATED, NOTHING_SENT) else ", ".join(f"`{item}`" for item in items)
        lines.append(f"| {fate} | {len(found)} | {sum(rule.rejects for rule in found)} | {named} |")
    lines.append(f"\nRows rejected: {sum(verdict.rejected.values())}.")
    return "\n".join(lines)


def section(name: str) -> str:
    """The text that docs/sources.md holds between the two marks of a generated section."""
    return DOCUMENT.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")[2].partition("\n<!-- end -->")[0]


def write_section(name: str, body: str) -> None:
    before, mark, rest = DOCUMENT.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    DOCUMENT.write_text(f"{before}{mark}{body}\n<!-- end -->{rest.partition('<!-- end -->')[2]}", encoding="utf-8")


def main() -> None:
    """Writes the generated sections of docs/sources.md: ``python -m tests.features.records.sources_certificate``."""
    import tempfile

    from training.simulator import simulate

    write_section("tests without snomed", uncoded_tests())
    trust = simulate(**TRUST).records
    with tempfile.TemporaryDirectory() as folder:
        if RULES.exists():
            write_section("mhsds rules", fates_of_rules(trust, RULES, Path(folder)))
    for door, through in DOORS.items():
        with tempfile.TemporaryDirectory() as folder:
            names = unequal(trust, through(trust, Path(folder)), day_of_certificate(trust))
        write_section(f"certificate {door}", ", ".join(f"`{name}`" for name in names) or "None.")


DOCUMENT = Path(__file__).parents[3] / "docs" / "sources.md"
RULES = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "mhsds" / "validation_rules_v6.0.csv"
DOORS = {"fhir": through_fhir, "omop": through_omop, "mhsds": through_mhsds}
TRUST = {"patients": 100, "years": 2, "seed": 20260105, "teams": 4}

if __name__ == "__main__":
    main()
