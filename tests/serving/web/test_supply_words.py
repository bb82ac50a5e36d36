"""The page of a person says how days in hand are counted, and where a number of days was assumed."""

from __future__ import annotations

import datetime as dt
import re

from features.kernels.coverage import CARRY_DAYS
from serving.people.schemas import LastYear, SupplyEvent
from serving.web.charts.year_view import year_of

AS_OF = dt.date(2026, 1, 5)


def test_the_page_says_how_much_is_carried_over(browser):
    page = re.sub(r"\s+", " ", browser("pharmacist:north").get("/patients/N02").text)
    assert f"medicines by supplies in hand, counting at most {CARRY_DAYS} days carried over" in page


def test_the_year_picture_marks_assumed_days_of_supply():
    told = "days of supply not recorded: 28 days assumed"
    event = SupplyEvent(
        on=AS_OF, medicine="olanzapine", kind="dispensed", injection=False, covers_from=AS_OF,
        covers_to=AS_OF + dt.timedelta(days=28), mg=10.0, as_required=False, days_assumed=told,
    )  # fmt: skip
    year = LastYear(supplies=[event], results=[], dues=[], contacts=[], stays=[])
    (lane,) = year_of(year, AS_OF).medicines
    assert lane.days_assumed == told
