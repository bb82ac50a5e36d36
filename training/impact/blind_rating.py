"""The blind rating of a silent trial: draws the cases, and reads the ratings of the file and of the page."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import UpstreamError
from models.blind_rating import COLUMNS, HIGHEST
from models.locked_scores import LockedScores
from training.impact.effects import Interval

CASES = 30
FILE = "rating.csv"
"""Who rated in the file counts as one rater."""


class RatingRefused(UpstreamError):
    """The blind rating cannot be made or read; the message says what to do."""


def write_rating(run: LockedScores, folder: Path, seed: int) -> tuple[Path, Path]:
    """Writes 30 cases, half of them listed and half at random of the others, in random order. The key goes into a
    second file. The rater gets only the first file, or the page ``/rating``.
    """
    rng = np.random.default_rng(seed)
    scores = run.scores
    listed = (scores["place"] <= scores["slots"].fillna(0)).to_numpy()
    ids, half = scores["patient_id"].astype(str).to_numpy(object), CASES // 2
    if listed.sum() < half or (~listed).sum() < half:
        raise RatingRefused(
            f"{int(listed.sum())} people would be listed and {int((~listed).sum())} not; {half} of each are needed"
        )
    team_of = dict(zip(ids, scores["team_id"].astype(str), strict=True))
    picked = [(str(p), True) for p in rng.choice(ids[listed], half, replace=False)]
    picked += [(str(p), False) for p in rng.choice(ids[~listed], half, replace=False)]
    order = rng.permutation(CASES)
    cases, key = folder / FILE, folder / "rating-key.json"
    if cases.exists() or key.exists():
        raise RatingRefused(f"{cases} or its key exists; a rating is drawn once. Choose another folder")
    draw = hashlib.sha256(f"{run.lock}\n{seed}".encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with cases.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        out.writerows([number, picked[i][0], team_of[picked[i][0]], draw, "", ""] for number, i in enumerate(order, 1))
    about = {"lock": run.lock, "draw": draw, "listed": [picked[i][1] for i in order]}
    key.write_text(json.dumps(about) + "\n", encoding="utf-8")
    for path in (cases, key):
        path.chmod(0o600)
    return cases, key


def read_rating(folder: Path, on_the_page: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any] | None:
    """The mean rating of listed and of random cases and their difference; None while fewer than two of each are rated.

    ``on_the_page`` holds the ratings given on the page (draw, case, rater, worth, known), oldest first; the newest of
    a rater counts, and those of another drawing do not. A case with several raters counts once, with their mean.
    """
    cases, key = folder / FILE, folder / "rating-key.json"
    if not (cases.exists() and key.exists()):
        return None
    about = json.loads(key.read_text(encoding="utf-8"))
    listed: list[bool] = about["listed"]
    given, there = _in_file(cases)
    for rating in on_the_page:
        if rating["draw"] == about.get("draw") and int(rating["case"]) in there:
            given[str(rating["rater"]), int(rating["case"])] = (float(rating["worth"]), bool(rating["known"]))
    worth: dict[int, list[float]] = {}
    known: dict[int, list[bool]] = {}
    for (_, case), (value, knew) in given.items():
        worth.setdefault(case, []).append(value)
        if knew is not None:
            known.setdefault(case, []).append(knew)
    arms = {arm: np.array([np.mean(v) for c, v in worth.items() if listed[c - 1] is arm]) for arm in (True, False)}
    if min(len(values) for values in arms.values()) < 2:
        return None
    one, other = arms[True], arms[False]
    error = float(np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)))
    return {
        "rated": len(one) + len(other),
        "raters": len({rater for rater, _ in given}),
        "listed": round(float(one.mean()), 2),
        "random": round(float(other.mean()), 2),
        "difference": Interval.around(float(one.mean() - other.mean()), error).as_dict(),
        "known_of_listed": _share(known, listed, True),
        "known_of_random": _share(known, listed, False),
    }


Given = dict[tuple[str, int], tuple[float, bool | None]]


def _in_file(cases: Path) -> tuple[Given, set[int]]:
    """The ratings filled in by hand, and the numbers of all cases that are still there. Raises RatingRefused."""
    given: Given = {}
    there = set()
    with cases.open(newline="", encoding="utf-8-sig") as file:
        for line in csv.DictReader(file):
            number = (line.get("case") or "").strip()
            if not (number.isdecimal() and 1 <= int(number) <= CASES):
                raise RatingRefused(f"{FILE}: a case has no number from 1 to {CASES}; leave that column as it was")
            there.add(int(number))
            value = (line.get("worth_a_review_0_to_10") or "").strip()
            if not value:
                continue
            if not (value.isascii() and value.isdecimal() and int(value) <= HIGHEST):
                raise RatingRefused(f"{FILE}, case {number}: the rating is no whole number from 0 to {HIGHEST}")
            knew = (line.get("already_known_yes_no") or "").strip().lower()
            if knew not in ("", "yes", "no", "y", "n"):
                raise RatingRefused(f"{FILE}, case {number}: already known is neither yes nor no")
            given[FILE, int(number)] = (float(value), knew.startswith("y") if knew else None)
    return given, there


def _share(known: Mapping[int, list[bool]], listed: Sequence[bool], arm: bool) -> float | None:
    """Of the cases of one arm, the share that a rater said the team knew already."""
    values = [float(np.mean(answers)) for case, answers in known.items() if listed[case - 1] is arm]
    return round(float(np.mean(values)), 2) if values else None
