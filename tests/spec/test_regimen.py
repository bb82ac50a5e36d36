"""The regimen as a table: what a person takes, and the number each feature holds."""

from __future__ import annotations

import math

import pytest

from features import build
from tests.tables import records, spine

SUPPLIES = """
patient_id  medicine                         kind          supplied_on  days_supplied  interval_days  daily_dose_mg  dose_mg  as_required  prescriber
anna        olanzapine                       dispensed     2025-01-01   200            -              10             -        false        trust
anna        olanzapine                       dispensed     2025-04-10   200            -              15             -        false        gp
anna        haloperidol_decanoate_injection  administered  2025-04-15   -              28             -              100      false        trust
anna        lorazepam                        dispensed     2025-04-20   14             -              1              -        true         trust
anna        citalopram                       dispensed     2025-02-01   300            -              20             -        false        gp
anna        sertraline                       dispensed     2024-10-01   90             -              50             -        false        gp
"""


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("percent_of_max", 100 * 15 / 20 + 100 * (100 / 28) / (300 / 28)),
        ("high_dose_days", 16),  # reached 108% with the injection of 15 April
        ("antipsychotics", 2),
        ("antipsychotics_60d", 1),
        ("psychotropics", 4),
        ("psychotropics_60d", 2),
        ("acb_total", 3 + 2 + 1 + 1),  # olanzapine, haloperidol, lorazepam, citalopram
        ("acb_high_days", 120),
        ("qt_medicines", 2),  # haloperidol and citalopram
        ("regular_items", 3),
        ("as_required_items", 1),
        ("dependence_days", 11),
        ("starts_28d", 1),  # the injection; lorazepam is as required
        ("starts_90d", 2),
        ("stops_28d", 0),
        ("stops_90d", 0),
        ("switches_90d", 1),  # citalopram was started within 60 days of sertraline running out
        ("dose_changes_28d", 1),
        ("dose_rises_halved_every_30_days", 0.5 ** (21 / 30)),  # olanzapine on 10 April
        ("dose_rises_halved_every_90_days", 0.5 ** (21 / 90)),
        ("dose_rises_halved_every_270_days", 0.5 ** (21 / 270)),
        ("days_since_change", 16),
        ("prescriber_changes_180d", 1),
        ("shared_prescribing_90d", 0),  # the trust's last olanzapine is 120 days old
        ("interactions", 1),  # citalopram with haloperidol
        ("new_interactions_30d", 1),
        ("procyclidine_days", 0),
        ("longest_course_days", 120),
    ],
)
def test_the_regimen_on_1_may_2025(field, answer):
    made = records(supplies=SUPPLIES)
    assert build(made, spine("anna 2025-05-01"), [field]).values[0, 0] == pytest.approx(answer, rel=1e-5)


def test_a_stop_counts_once_28_days_without_supply_have_passed():
    made = records(
        supplies="patient_id medicine supplied_on days_supplied\nanna olanzapine 2025-01-01 28\nanna lithium 2025-01-01 400"
    )
    days = spine("anna 2025-02-26", "anna 2025-02-27", "anna 2025-03-26", "anna 2025-03-27")
    assert build(made, days, ["stops_28d"]).values[:, 0].tolist() == [0, 1, 1, 0]
    assert build(made, days, ["psychotropics"]).values[:, 0].tolist() == [2, 1, 1, 1]


def test_a_dose_that_is_not_recorded_is_unknown_not_nothing():
    made = records(supplies="patient_id medicine supplied_on days_supplied\nanna olanzapine 2025-01-01 28")
    assert math.isnan(build(made, spine("anna 2025-01-20"), ["percent_of_max"]).values[0, 0])
