"""Slices by time: no label window and no held-out person crosses from one into the next."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.records import date_of, day_of
from tests.examples import examples
from training.dataset import splits
from training.errors import NotEnoughData, SplitLeak
from training.settings import SplitSettings

START = day_of("2022-01-03")


def spine_of(people, dates):
    return pd.DataFrame(
        [(f"p{n}", pd.Timestamp(date_of(int(d)))) for n in range(people) for d in dates],
        columns=["patient_id", "as_of"],
    )


def test_train_embargo_calibration_embargo_test():
    dates = np.arange(START, START + 1000, 10)
    split = splits.by_time(
        spine_of(3, dates),
        180,
        last_day=START + 1180,
        settings=SplitSettings(train_share=0.6, calibration_share=0.15, unseen_patients=0),
    )
    first = {
        name: int(dates[getattr(split, name)[: len(dates)]].min()) - START for name in ("train", "calibration", "test")
    }
    last = {
        name: int(dates[getattr(split, name)[: len(dates)]].max()) - START for name in ("train", "calibration", "test")
    }
    # 990 days of dates less two embargoes of 180 leave 630: 60% is 378, 15% is 94.
    assert (first, last) == (
        {"train": 0, "calibration": 550, "test": 820},
        {"train": 370, "calibration": 640, "test": 990},
    )


@settings(max_examples=examples(20), deadline=None)
@given(
    st.integers(2, 200),
    st.integers(1, 60),
    st.integers(1, 180),
    st.integers(0, 400),
    st.floats(0.05, 0.6),
    st.floats(0.05, 0.39),
)
def test_no_window_and_no_person_is_in_two_slices(count, every, horizon, after, train, calibration):
    dates = np.arange(count) * every + START
    spine = spine_of(4, dates)
    chosen = SplitSettings(train_share=train, calibration_share=calibration, unseen_patients=0.3)
    try:
        split = splits.by_time(spine, horizon, int(dates[-1]) + after, chosen)
    except NotEnoughData:
        return
    day = np.tile(dates, 4)
    read_by_train = {int(d) + k for d in day[split.train] for k in range(horizon)}
    read_by_calibration = {int(d) + k for d in day[split.calibration] for k in range(horizon)}
    assert not read_by_train & set(day[split.calibration].tolist())
    assert not (read_by_train | read_by_calibration) & set(day[split.test].tolist())
    learned = set(spine["patient_id"][split.train | split.calibration])
    assert not learned & set(spine["patient_id"][split.unseen])


def test_a_window_that_reads_into_the_next_slice_is_refused_by_date():
    spine = spine_of(1, [START, START + 100, START + 300])
    one = np.eye(3, dtype=bool)
    with pytest.raises(
        SplitLeak,
        match="Labels of the train slice read up to 2022-07-01, and the calibration slice begins on 2022-04-13",
    ):
        splits.check(splits.Split(one[0], one[1], one[2], np.zeros(3, dtype=bool), 180), spine)
    with pytest.raises(SplitLeak, match="held out"):
        splits.check(splits.Split(one[0], one[1], one[2], np.ones(3, dtype=bool), 10), spine)


def test_an_extract_that_is_too_short_says_what_to_do():
    with pytest.raises(NotEnoughData, match="bring a longer extract"):
        splits.by_time(spine_of(3, np.arange(START, START + 300, 28)), 180, last_day=START + 480)


def test_the_same_people_are_held_out_every_time():
    ids = pd.Series([f"p{n}" for n in range(2000)])
    held = splits.held_out(ids, 0.1)
    assert 0.08 < held.mean() < 0.12
    assert (splits.held_out(ids[::-1], 0.1)[::-1] == held).all()
    assert not splits.held_out(ids, 0.0).any()


def two_teams(people, dates):
    """People of two teams; every fourth person moves to the other team halfway."""
    spine = spine_of(people, dates)
    number = spine["patient_id"].str[1:].astype(int)
    moved = (number % 4 == 3) & (spine["as_of"] >= pd.Timestamp(date_of(int(dates[len(dates) // 2]))))
    return spine.assign(team_id=np.where((number % 2 == 0) ^ moved, "t0", "t1"))


sizes = (st.integers(20, 120), st.integers(5, 60), st.integers(1, 90), st.integers(0, 200), st.integers(1, 5))


def windows_apart(split, spine, horizon):
    """No label window of an earlier slice holds a day on which a later slice has a row."""
    day = spine["as_of"].map(lambda stamp: day_of(stamp.date().isoformat())).to_numpy()
    order = [split.train, split.calibration, split.test]
    for earlier, rows in enumerate(order):
        for later in order[earlier + 1 :]:
            assert not (rows & later).any()
            assert (day[rows].max() + horizon) <= day[later].min()


@settings(max_examples=examples(15), deadline=None)
@given(*sizes)
def test_patient_disjoint_slices_share_no_window_and_no_person(count, every, horizon, after, _):
    dates = np.arange(count) * every + START
    spine = spine_of(40, dates)
    try:
        split = splits.by_patients(spine, horizon, int(dates[-1]) + after, SplitSettings())
    except NotEnoughData:
        return
    windows_apart(split, spine, horizon)
    people = [set(spine["patient_id"][rows]) for rows in (split.train, split.calibration, split.test)]
    assert not people[0] & people[1]
    assert not (people[0] | people[1]) & people[2]
    assert split.unseen[split.test].all()


@settings(max_examples=examples(15), deadline=None)
@given(*sizes)
def test_leaving_a_team_out_leaves_out_everyone_it_ever_had(count, every, horizon, after, _):
    dates = np.arange(count) * every + START
    spine = two_teams(24, dates)
    try:
        base = splits.by_time(spine, horizon, int(dates[-1]) + after, SplitSettings())
    except NotEnoughData:
        return
    found = dict(splits.leave_one_team_out(spine, base))
    assert set(found) <= {"t0", "t1"}
    for team, split in found.items():
        windows_apart(split, spine, horizon)
        learned = spine[split.train | split.calibration]
        assert (spine["team_id"][split.test] == team).all()
        assert not learned["patient_id"].isin(spine["patient_id"][spine["team_id"] == team]).any()
        assert (split.test == (base.test & (spine["team_id"] == team))).all()


@settings(max_examples=examples(15), deadline=None)
@given(*sizes)
def test_rolling_origins_test_no_day_twice_and_keep_the_embargo(count, every, horizon, after, origins):
    dates = np.arange(count) * every + START
    spine = spine_of(6, dates)
    chosen = SplitSettings(unseen_patients=0.2, origins=origins, shortest_training=60)
    try:
        base = splits.by_time(spine, horizon, int(dates[-1]) + after, chosen)
    except NotEnoughData:
        return
    found = list(splits.rolling_origins(spine, horizon, int(dates[-1]) + after, chosen))
    assert 1 <= len(found) <= origins
    assert (found[-1][1].test == base.test).all()
    tested = np.zeros(len(spine), dtype=int)
    for _name, split in found:
        windows_apart(split, spine, horizon)
        assert not spine["patient_id"][split.train | split.calibration].isin(spine["patient_id"][split.unseen]).any()
        tested += split.test
    assert tested.max() == 1
    assert [name for name, _ in found] == sorted(name for name, _ in found)


def test_later_origins_train_on_more_and_short_ones_are_not_given():
    dates = np.arange(START, START + 1500, 28)
    spine = spine_of(3, dates)
    found = list(splits.rolling_origins(spine, 90, START + 1700, SplitSettings(unseen_patients=0, origins=3)))
    assert len(found) == 2  # a third, one more test slice earlier, would leave less than half a year to train on
    lengths = [len(np.unique(spine["as_of"][split.train])) for _, split in found]
    assert lengths == sorted(lengths)  # every later origin trains on more


def test_somebody_in_two_slices_is_named():
    spine = two_teams(8, np.arange(START, START + 1000, 10))
    split = splits.by_time(spine, 90, START + 1090, SplitSettings(unseen_patients=0))
    with pytest.raises(SplitLeak, match="8 people have rows both in training or calibration"):
        splits.check_people_apart(split, spine)
    with pytest.raises(NotEnoughData, match="one team only"):
        list(splits.leave_one_team_out(spine.drop(columns="team_id"), split))
