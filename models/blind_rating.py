"""The cases of a blind rating: the file that a rater gets. A second file, the key, holds who would be listed. No page
reads it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from models.locked_scores import FOLDER

COLUMNS = ("case", "patient_id", "team_id", "draw", "worth_a_review_0_to_10", "already_known_yes_no")
HIGHEST = 10


@dataclass(frozen=True)
class Case:
    """One person to rate. ``draw`` names the drawing of the cases, so that ratings of another drawing are not mixed."""

    number: int
    patient_id: str
    team_id: str
    draw: str


def rating_folder(home: Path) -> Path:
    return home / FOLDER / "rating"


def read_cases(home: Path) -> tuple[Case, ...]:
    """The cases in their order; none if no rating was drawn. A line that cannot be read is left out."""
    path = rating_folder(home) / "rating.csv"
    if not path.exists():
        return ()
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            Case(int(line["case"]), line["patient_id"], line.get("team_id") or "", line.get("draw") or "")
            for line in csv.DictReader(file)
            if (line.get("case") or "").isdigit() and line.get("patient_id")
        )
