"""A pharmacist's review wrote 94 small histories, each with its right answer, before anybody ran them. They stand
beside the repository and are read in place. Our own words for the same rules: ``vignettes_*`` and ``cases_*``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features import Records, find_gaps

FILE = Path(__file__).resolve().parents[3].parent / "shared" / "findings" / "vignettes.json"
VIGNETTES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else []

pytestmark = [
    pytest.mark.external,
    pytest.mark.skipif(not VIGNETTES, reason="needs the review's vignettes.json in ../shared/findings"),
]


def holds(pattern: str | None, text: str) -> bool:
    return not pattern or re.search(pattern, text, re.IGNORECASE) is not None


def words(gap: dict[str, Any]) -> str:
    return " | ".join([gap["title"], gap["value"], gap["action"], *(one["what"] for one in gap["evidence"])])


def unwanted(rule: str, gap: dict[str, Any]) -> bool:
    """``*`` is any gap, ``SAFETY`` any safety gap, ``CODE`` or ``CODE:pattern`` that code, with such a value."""
    code, _, pattern = rule.partition(":")
    return rule == "*" or (rule == "SAFETY" and gap["safety"]) or (gap["code"] == code and holds(pattern, gap["value"]))


@pytest.fixture(params=VIGNETTES or [None], ids=[one["name"] for one in VIGNETTES] or ["absent"])
def vignette(request):
    return request.param


def test_the_review_and_the_rules_agree(vignette):
    tables = {name: pd.DataFrame(one["rows"], columns=one["columns"]) for name, one in vignette["tables"].items()}
    records = Records.from_frames(tables)
    assert records.quarantine.empty, "every row of a vignette can be read"
    gaps = find_gaps(records, vignette["as_of"]).to_dict("records")
    said = [(gap["code"], gap["severity"], gap["value"]) for gap in gaps]
    for place, must in enumerate(vignette.get("must") or []):
        found = [
            gap
            for gap in gaps
            if gap["code"] == must["code"]
            and holds(must["value_matches"], gap["value"])
            and must["severity"] in ("", gap["severity"])
        ]
        assert found, (vignette["expected"], must, said)
        if place == 0:
            for part in ("action", "value"):
                pattern = vignette.get(f"{part}_not")
                assert not (pattern and holds(pattern, found[0][part])), found[0][part]
    for rule in vignette.get("must_not") or []:
        assert not [gap["code"] for gap in gaps if unwanted(rule, gap)], (vignette["expected"], rule, said)
    for pattern in vignette.get("somewhere") or []:
        assert any(holds(pattern, words(gap)) for gap in gaps), (vignette["expected"], pattern, said)
