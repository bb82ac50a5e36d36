"""The certificate of the doors: which features are equal, bit for bit, when the same trust comes in another way.

A simulated trust is written as FHIR and as MHSDS, read back, and every feature is computed for everybody on one day
from its own tables, from FHIR, and from MHSDS with the medicines and results of a second source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from features import Records, build
from features.records.sources import fhir, mhsds
from features.records.sources.merging import merge_into

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


def main() -> None:
    """Writes the certificate into docs/sources.md: ``python -m tests.features.records.sources_certificate``."""
    import tempfile

    from training.simulator import simulate

    document = Path(__file__).parents[3] / "docs" / "sources.md"
    trust = simulate(**TRUST).records
    text = document.read_text(encoding="utf-8")
    for door, through in (("fhir", through_fhir), ("mhsds", through_mhsds)):
        with tempfile.TemporaryDirectory() as folder:
            names = unequal(trust, through(trust, Path(folder)), day_of_certificate(trust))
        before, _, rest = text.partition(f"<!-- certificate {door} -->")
        body = ", ".join(f"`{name}`" for name in names) or "None."
        text = f"{before}<!-- certificate {door} -->\n{body}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    document.write_text(text, encoding="utf-8")


TRUST = {"patients": 100, "years": 2, "seed": 20260105, "teams": 4}

if __name__ == "__main__":
    main()
