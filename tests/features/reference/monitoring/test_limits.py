"""Clinical limits are read from the tables. One that is blank or missing stops the start and names its row; no number
in code stands in for it."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import features
from features.reference import ReferenceTableError, high_limit, low_limit
from features.reference.files import FOLDER
from features.reference.monitoring.protocols import protocol_days
from features.reference.monitoring.thresholds import NEEDED, THRESHOLDS, bands, load

RULES = Path(features.__file__).parent


def _copied(folder: Path, change: dict[str, dict[str, str]], without: frozenset[str] = frozenset()) -> Path:
    with (FOLDER / "thresholds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "thresholds.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(
            row | change.get(row["threshold_id"], {}) for row in rows if row["threshold_id"] not in without
        )
    return folder


def test_the_table_as_it_is_loads(tmp_path: Path) -> None:
    assert load(_copied(tmp_path, {})) == THRESHOLDS


@pytest.mark.parametrize("key", THRESHOLDS)
def test_a_blank_limit_is_refused_by_name(tmp_path: Path, key: str) -> None:
    for field in NEEDED[THRESHOLDS[key].direction]:
        with pytest.raises(ReferenceTableError, match=f"thresholds.csv: row {key}: {field} is blank"):
            load(_copied(tmp_path, {key: {field: ""}}))


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("th002", {"low": ""}, "rows th002 and th003 overlap"),
        ("th018", {"high": ""}, "rows th018 and th019 overlap"),
        ("th065", {"low": "five"}, "row th065: field low must be a number or blank"),
        ("th037", {"low": "70"}, "row th037: low must be below high"),
        ("th037", {"direction": "down"}, "row th037: direction must be one of low, high, in_range"),
    ],
)
def test_a_limit_that_cannot_be_right_is_refused_by_name(
    tmp_path: Path, key: str, change: dict[str, str], message: str
) -> None:
    with pytest.raises(ReferenceTableError, match=re.escape(message)):
        load(_copied(tmp_path, {key: change}))


def test_a_row_that_is_missing_is_named() -> None:
    for read in (low_limit, high_limit, bands):
        with pytest.raises(ReferenceTableError, match="row th999 is missing"):
            read("th999")
    with pytest.raises(ReferenceTableError, match="row mp999 is missing"):
        protocol_days("mp999", "to_day")
    with pytest.raises(ReferenceTableError, match="row mp078: to_day is blank"):
        protocol_days("mp078", "to_day")


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [("th031", {"low": ""}, "row th031: low is blank"), ("th065", None, "row th065 is missing")],
)
def test_the_package_does_not_import_with_a_wrong_limit(
    tmp_path: Path, key: str, change: dict[str, str] | None, message: str
) -> None:
    """A copy of the package with one limit gone does not even import."""
    shutil.copytree(RULES, tmp_path / "features", ignore=shutil.ignore_patterns("__pycache__"))
    _copied(
        tmp_path / "features" / "reference",
        {key: change} if change else {},
        frozenset() if change else frozenset([key]),
    )
    tried = subprocess.run(
        [sys.executable, "-c", "import features.gaps"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 1
    assert message in tried.stderr


def test_no_rule_falls_back_to_a_number_in_code() -> None:
    fallback = re.compile(r"\.(?:low|high|to_day|from_day|interval_days) or ")
    found = [
        f"{path.relative_to(RULES)}:{number}: {line.strip()}"
        for path in sorted(RULES.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if fallback.search(line)
    ]
    assert found == []
