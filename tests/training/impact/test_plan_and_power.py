"""The plan cannot be changed afterwards, and the number of people needed is that of the textbook."""

from __future__ import annotations

import datetime as dt

import pytest

from features.errors import SettingsError
from training.impact.plan import ImpactPlan
from training.impact.power import people_each_arm, weeks_until

PLAN = ImpactPlan(written_on=dt.date(2026, 1, 5), approved_by="A. Named, chief pharmacist")


def test_a_plan_is_read_back_with_its_hash(tmp_path):
    found = PLAN.save(tmp_path / "plan.json")
    assert ImpactPlan.load(tmp_path / "plan.json") == PLAN and found == PLAN.hash and len(found) == 64


def test_a_changed_plan_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    PLAN.save(path)
    path.write_text(path.read_text().replace("-0.25", "-0.15"))
    with pytest.raises(SettingsError, match="changed after it was written"):
        ImpactPlan.load(path)


def test_a_plan_is_never_overwritten(tmp_path):
    PLAN.save(tmp_path / "plan.json")
    with pytest.raises(SettingsError, match="not changed"):
        PLAN.save(tmp_path / "plan.json")


@pytest.mark.parametrize("content", ["", "[]", '{"plan": {}}', '{"plan": {"approved_by": ""}, "sha256": ""}'])
def test_what_is_not_a_plan_says_what_to_do(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(SettingsError, match="upstream impact plan"):
        ImpactPlan.load(tmp_path / "plan.json")


def test_a_plan_written_after_the_first_draw_is_known():
    assert PLAN.written_before(dt.date(2026, 1, 5)) and not PLAN.written_before(dt.date(2026, 1, 4))


def test_one_event_in_ten_and_a_quarter_fewer_need_two_thousand_an_arm():
    assert people_each_arm(0.10, -0.25) == 2002
    assert people_each_arm(0.10, -0.5) < 450


def test_rates_outside_0_and_1_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        people_each_arm(0.0, -0.25)


def test_the_time_until_an_answer_follows_the_pace_so_far_and_waits_for_the_last_outcome():
    assert weeks_until(400, 100, 10, 91) == 30 + 13  # 300 more at 10 a week, then 13 weeks for the last
    assert weeks_until(400, 400, 40, 91) == 13
    assert weeks_until(400, 500, 50, 91) == 3  # the last that is needed was drawn ten weeks ago
    assert weeks_until(400, 900, 50, 91) == 0
    assert weeks_until(400, 0, 10, 91) is None and weeks_until(400, 10, 0, 91) is None
