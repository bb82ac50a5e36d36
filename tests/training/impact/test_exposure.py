"""Follow-up ends at a review from the list, and rows that were followed on count for those that were not."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from training.dataset.labels import REVIEWED, Followed, FollowUp
from training.dataset.prepare import Prepared
from training.dataset.spells import FOREVER
from training.errors import ExposureUnknown
from training.impact.exposure import Exposure, chances, exposure_aware

DAY = int(np.datetime64("2024-01-01", "D").astype(np.int64))
HORIZONS = {"admission": (90,)}


def ready(events: dict[str, int | None], settled: int = 400) -> Prepared:
    """One row a person on 1 January 2024; ``events`` holds the days until the admission, None for none."""
    rows = len(events)
    spine = pd.DataFrame({"patient_id": list(events), "as_of": pd.Timestamp("2024-01-01")})
    days = np.array([FOREVER if after is None else DAY + after for after in events.values()], dtype=np.int64)
    never = np.full(rows, FOREVER, dtype=np.int64)
    empty = np.full(rows, "", dtype=object)
    one = Followed(days, never, empty, empty, np.ones(rows, dtype=bool))
    followed = FollowUp(spine, np.full(rows, DAY, dtype=np.int64), DAY + settled, {"admission": one})
    none = pd.DataFrame()
    return Prepared(spine, none, SimpleNamespace(), followed, followed.labels(HORIZONS), None)  # type: ignore[arg-type]


def lines(*rows: tuple[str, int, bool, bool]) -> pd.DataFrame:
    """patient, days after 1 January of the list, had a place, was reviewed."""
    table = pd.DataFrame(rows, columns=["patient_id", "after", "placed", "exposed"])
    as_of = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["after"], unit="D")
    return table.assign(as_of=as_of, risk=np.linspace(0.1, 0.2, len(table)), propensity=np.nan).drop(columns="after")


def test_a_label_ends_at_the_review_and_an_event_before_it_counts():
    rows = ready({"event first": 10, "review first": 40, "never reviewed": None, "reviewed, no event": None})
    log = lines(
        ("event first", 28, True, True),
        ("review first", 28, True, True),
        ("never reviewed", 28, False, False),
        ("reviewed, no event", 28, True, True),
    )
    aware, note = exposure_aware(rows, HORIZONS, Exposure(dt.date(2024, 1, 29), log, 0.0), None)
    assert aware.labels["admission_90"].tolist()[::2] == [1.0, 0.0]
    assert aware.labels["admission_90"].isna().tolist() == [False, True, False, True]
    assert aware.follow_up.status("admission", 90)[1] == REVIEWED
    assert note.problem == "" and note.exposed_rows == 3 and note.rows_after == 4


def test_those_not_reviewed_count_for_those_who_were():
    people = {f"p{i}": None for i in range(10)}
    log = lines(*((name, 28, True, i < 8) for i, name in enumerate(people)))
    log["risk"] = 0.2
    shuffled = log.sample(frac=1, random_state=1)
    assert (
        chances(shuffled.assign(propensity=0.5)).tolist() == [0.4] * 10
    )  # half a place, of which 8 in 10 are reviewed
    log["risk"] = [0.2, 0.3] * 5
    aware, note = exposure_aware(ready(people), HORIZONS, Exposure(dt.date(2024, 1, 29), log, 0.0), None)
    weights = aware.weights["admission_90"]
    assert weights[8:].sum() >= 4 and note.most_weight <= 10


def test_rows_that_end_before_the_list_went_live_are_left_alone():
    rows = ready({"a": 5, "b": None})
    log = lines(("a", 200, True, True), ("b", 200, True, True))
    aware, note = exposure_aware(rows, HORIZONS, Exposure(dt.date(2024, 7, 19), log, 0.0), None)
    assert aware is rows and note.rows_after == 0 and note.problem == ""


def test_days_after_go_live_without_a_log_are_a_problem_and_with_holes_too():
    rows = ready({"a": 5, "b": None})
    same, note = exposure_aware(rows, HORIZONS, None, dt.date(2024, 2, 1))
    assert same is rows and "nobody logged who was listed" in note.problem
    _, holes = exposure_aware(rows, HORIZONS, Exposure(dt.date(2024, 2, 1), lines(("a", 31, True, True)), 0.2), None)
    assert "20 in 100" in holes.problem
    assert exposure_aware(rows, HORIZONS, None, None)[1].problem == ""


def test_a_stated_day_later_than_the_first_list_is_refused():
    log = Exposure(dt.date(2024, 1, 8), lines(("a", 7, True, True)), 0.0)
    with pytest.raises(ExposureUnknown, match="2024-01-08"):
        exposure_aware(ready({"a": None}), HORIZONS, log, dt.date(2024, 3, 1))


def test_where_reviews_work_the_rows_as_they_are_show_too_little_risk_of_the_listed_and_the_weighted_ones_do_not():
    """8,000 people. The fifth with the highest risks is listed on the day of the row, half of them are reviewed the
    same day, and a review halves the chance of the event.
    """
    rng = np.random.default_rng(8)
    ids = [f"p{i:05d}" for i in range(8_000)]
    risk = 1 / (1 + np.exp(-rng.normal(-1.8, 0.8, len(ids))))
    listed = risk >= np.quantile(risk, 0.8)
    reviewed = listed & (rng.random(len(ids)) < 0.5)
    event = rng.random(len(ids)) < risk * np.where(reviewed, 0.5, 1.0)
    after = [int(day) if happened else None for day, happened in zip(rng.integers(1, 80, 8_000), event, strict=True)]
    rows = ready(dict(zip(ids, after, strict=True)))
    log = pd.DataFrame(
        {"patient_id": ids, "as_of": pd.Timestamp("2024-01-01"), "risk": risk, "placed": listed, "exposed": reviewed}
    ).assign(propensity=np.nan)
    aware, _ = exposure_aware(rows, HORIZONS, Exposure(dt.date(2024, 1, 1), log, 0.0), None)
    label, weight = aware.labels["admission_90"].to_numpy(), aware.weights["admission_90"]
    known = listed & ~np.isnan(label)
    naive = event[listed].mean() / risk[listed].mean()
    ours = (label * weight)[known].sum() / (risk * weight)[known].sum()
    assert naive < 0.8
    assert ours == pytest.approx(1.0, abs=0.06)
    assert weight[known].sum() == pytest.approx(listed.sum(), rel=0.03)
