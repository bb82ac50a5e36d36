"""Laws: making a record worse or older never leaves a person with less said, or said more mildly, about that check,
result or dose."""

from __future__ import annotations

import re

import pandas as pd
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from features import Records, find_gaps
from features.gaps.gap import SEVERITIES
from features.gaps.rules.monitoring.results import LIMITS
from features.reference import TESTS, THRESHOLDS
from tests.examples import examples
from tests.spec.gaps.golden import AS_OF

RANK = {severity: place for place, severity in enumerate(SEVERITIES)}
MEDICINES = ("olanzapine", "clozapine", "lithium", "valproate", "carbamazepine", "haloperidol", "risperidone")
CHECKS = ("weight", "hba1c", "lipids", "lft", "fbc", "u_and_e", "tft", "calcium", "lithium_level", "prolactin", "qtc")
SCHEDULED = ("MONITORING_OVERDUE", "MONITORING_NEVER_DONE", "LI_LEVEL_OVERDUE", "LI_RENAL_THYROID_CALCIUM")
QUICK = settings(max_examples=examples(20), deadline=None)


def day(ago: int) -> pd.Timestamp:
    return pd.Timestamp(AS_OF) - pd.Timedelta(days=ago)


def gaps(people: list[dict[str, list[tuple]]]) -> list[list[dict]]:
    """Gaps of each person; each is supplies (medicine, days ago, length, mg) and results (test, days ago, value)."""
    supplies, results = [], []
    for number, person in enumerate(people):
        for medicine, ago, length, dose in person.get("supplies", []):
            supplies.append((f"p{number}", medicine, day(ago), length, dose, day(ago)))
        for test, ago, value in person.get("results", []):
            unit = TESTS[test].unit if value is not None else None
            results.append((f"p{number}", test, day(ago), value, unit or None, day(ago)))
    made = Records.from_frames(
        {
            "patients": pd.DataFrame(
                {"patient_id": [f"p{n}" for n in range(len(people))], "birth_date": "1980-01-01", "sex": "female"}
            ),
            "supplies": pd.DataFrame(
                supplies,
                columns=["patient_id", "medicine", "supplied_on", "days_supplied", "daily_dose_mg", "known_on"],
            ),
            "results": pd.DataFrame(results, columns=["patient_id", "test", "taken_on", "value", "unit", "known_on"]),
        }
    )
    found: list[list[dict]] = [[] for _ in people]
    for row in find_gaps(made, AS_OF).to_dict("records"):
        found[int(row["patient_id"][1:])].append(row)
    return found


def overdue(found: list[dict]) -> dict[str, int]:
    """Each check that is named as overdue, with the rank of the worst gap that names it."""
    named: dict[str, int] = {}
    for gap in found:
        if gap["code"] in SCHEDULED:
            for label in re.findall(r"(?:^|; )([^;]+?): (?:not recorded|last recorded)", gap["value"]):
                named[label] = min(named.get(label, 9), RANK[gap["severity"]])
    return named


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.sampled_from(MEDICINES), min_size=1, max_size=2, unique=True),
    st.integers(10, 1500),
    st.lists(st.tuples(st.sampled_from(CHECKS), st.integers(1, 1400)), min_size=1, max_size=8),
    st.integers(0, 7),
    st.one_of(st.none(), st.integers(1, 900)),
)
@example(["lithium"], 559, [("weight", 569)], 0, None)  # a baseline is not said again by what asks for it every year
@example(["haloperidol"], 596, [("fbc", 547)], 0, 95)  # a check before the course is not asked for later than never
@example(["haloperidol"], 142, [("weight", 102)], 0, 432)
@example(["valproate"], 136, [("lft", 163)], 0, None)
def test_a_check_removed_or_older_is_reported_no_less(medicines, start, results, which, older):
    supplies = [(medicine, ago, 390, None) for ago in range(start, 0, -380) for medicine in medicines]
    before = [(test, ago, None) for test, ago in results]
    which %= len(before)
    test, ago, _ = before[which]
    after = before[:which] + before[which + 1 :]
    if older is not None:
        after.append((test, ago + older, None))
    one, two = gaps([{"supplies": supplies, "results": before}, {"supplies": supplies, "results": after}])
    was, now = overdue(one), overdue(two)
    for label, rank in was.items():
        assert now.get(label, 9) <= rank, f"{label}: {was} became {now}"


@QUICK
@given(
    st.sampled_from(LIMITS),
    st.integers(0, 1),
    st.floats(0.2, 0.99),
    st.floats(0.2, 0.99),
    st.integers(1, 900),
    st.integers(0, 900),
)
def test_a_more_dangerous_or_older_result_is_reported_as_no_less_severe(limit, band, one, two, ago, older):
    """Each limit is tried at its worst band and at a milder one on the same side."""
    medicine = {"antidepressant_ssri": "sertraline", "antipsychotic_any": "olanzapine"}.get(
        limit.terms[0] if limit.terms else "", limit.terms[0] if limit.terms else "olanzapine"
    )
    direction = THRESHOLDS[limit.bands[0][0]].direction
    side = [(THRESHOLDS[key], severity) for key, severity in limit.bands if THRESHOLDS[key].direction == direction]
    row, severity = side[band % len(side)]
    high = direction == "high"
    edge = row.low if high else row.high
    assert edge is not None
    factor = sorted((one, two))
    mild, bad = (edge * factor[0], edge * (1 + factor[1])) if high else (edge * (1 + factor[1]), edge * factor[0])
    low, top = TESTS[limit.test].low or 0, TESTS[limit.test].high or 1e9
    assume(low <= min(mild, bad) and max(mild, bad) <= top)
    supplies = [(medicine, 950, 390, None), (medicine, 570, 390, None), (medicine, 200, 390, None)]
    people = [{"supplies": supplies, "results": [(limit.test, ago + back, v)]} for back, v in ((0, mild), (older, bad))]
    ranks = [
        min((RANK[gap["severity"]] for gap in found if gap["code"] == "RESULT_DANGEROUS"), default=9)
        for found in gaps(people)
    ]
    assert ranks[1] <= RANK[severity]
    assert ranks[1] <= ranks[0]


@QUICK
@given(
    st.sampled_from(("citalopram", "sertraline", "pregabalin", "diazepam", "valproate")),
    st.integers(1, 900),
    st.integers(0, 900),
    st.integers(5, 90),
)
def test_a_higher_dose_is_reported_no_less(medicine, dose, more, egfr):
    results = [("egfr", 20, egfr)]
    people = [{"supplies": [(medicine, 20, 60, mg)], "results": results} for mg in (dose, dose + more)]
    ranks = [
        min((RANK[gap["severity"]] for gap in found if gap["code"] == "DOSE_ABOVE_MAXIMUM"), default=9)
        for found in gaps(people)
    ]
    assert ranks[1] <= ranks[0]
