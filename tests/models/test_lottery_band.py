"""The lottery band: who takes part, what the chances are, what it costs."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.lottery_band import BandRules, InLine, draw_band

RULES = BandRules(seed=7, each_side=3, margin=0.5, most_cost=0.05)


def people(*risks: float, safety_gap: tuple[int, ...] = ()) -> list[InLine]:
    return [InLine(f"P{i}", risk, i not in safety_gap) for i, risk in enumerate(risks)]


LINE = people(0.5, 0.4, 0.30, 0.29, 0.28, 0.27, 0.26, 0.25, 0.1)


def test_three_people_on_each_side_of_the_line_share_three_places():
    tickets = draw_band(LINE, 5, RULES, "team 2026-01-05")
    assert [t.person for t in tickets] == ["P2", "P3", "P4", "P5", "P6", "P7"]
    assert {t.propensity for t in tickets} == {0.5}
    assert sum(t.drawn for t in tickets) == 3
    assert {t.line_risk for t in tickets} == {(0.28 + 0.27) / 2}


def test_nobody_with_a_critical_or_high_safety_gap_takes_part():
    line = people(0.5, 0.4, 0.30, 0.29, 0.28, 0.27, 0.26, 0.25, 0.1, safety_gap=(3, 6))
    tickets = draw_band(line, 5, RULES, "team 2026-01-05")
    assert [t.person for t in tickets] == ["P2", "P4", "P5", "P7"]
    assert sum(t.drawn for t in tickets) == 2  # the places that these four would have filled


def test_people_further_from_the_line_than_the_margin_keep_their_place():
    line = people(0.9, 0.5, 0.31, 0.30, 0.29, 0.05)
    assert [t.person for t in draw_band(line, 3, BandRules(1, 3, 0.1, 0.05), "t")] == ["P2", "P3", "P4"]


def test_a_band_that_costs_too_much_is_narrowed_and_then_left_out():
    assert len(draw_band(LINE, 5, BandRules(7, 3, 0.5, 0.01), "t")) == 2
    assert draw_band(people(0.5, 0.4, 0.3, 0.2, 0.1), 3, BandRules(7, 3, 0.9, 0.01), "t") == ()


def test_the_same_seed_and_occasion_draw_the_same_and_others_differ():
    def winners(seed: int, occasion: str) -> list[str]:
        return [t.person for t in draw_band(LINE, 5, BandRules(seed, 3, 0.5, 0.05), occasion) if t.drawn]

    assert winners(7, "a") == winners(7, "a")
    assert len({tuple(winners(7, str(n))) for n in range(50)}) > 10
    assert len({tuple(winners(n, "a")) for n in range(50)}) > 10


def test_everybody_in_the_band_is_drawn_as_often_as_the_propensity_says():
    counts = Counter(t.person for n in range(4000) for t in draw_band(LINE, 5, RULES, str(n)) if t.drawn)
    assert set(counts) == {"P2", "P3", "P4", "P5", "P6", "P7"}
    # 2,000 expected, standard deviation 32: five of them allow for chance
    assert all(abs(count - 2000) < 160 for count in counts.values())


def test_nobody_is_drawn_without_a_capacity_line():
    for line, places in ((LINE, 0), (LINE, len(LINE)), ([], 3)):
        assert draw_band(line, places, RULES, "t") == ()


@given(
    risks=st.lists(st.floats(0.001, 0.9), min_size=2, max_size=30),
    gaps=st.sets(st.integers(0, 29)),
    places=st.integers(0, 30),
    occasion=st.text(max_size=5),
)
def test_the_number_of_places_and_the_cost_hold_for_every_list(risks, gaps, places, occasion):
    line = people(*sorted(risks, reverse=True), safety_gap=tuple(gaps))
    rules = BandRules(3)
    tickets = draw_band(line, places, rules, occasion)
    listed = {p.person for p in line[:places]}
    assert sum(t.drawn for t in tickets) == sum(t.person in listed for t in tickets)
    assert not {f"P{i}" for i in gaps} & {t.person for t in tickets}
    kept = sum(t.risk * (t.propensity - (t.person in listed)) for t in tickets)
    assert -kept <= 0.01 * sum(p.risk for p in line[:places]) + 1e-12


def test_equal_risks_are_drawn_and_cost_nothing():
    equal = people(*[0.2] * 10)
    tickets = draw_band(equal, 5, BandRules(7, 3), "t")
    assert len(tickets) == 6 and sum(t.drawn for t in tickets) == 3
    winners = {tuple(t.drawn for t in draw_band(equal, 5, BandRules(7, 3), str(n))) for n in range(200)}
    assert len(winners) == 20  # every way to give three places to six people


def test_a_band_that_reaches_past_both_ends_of_the_list_holds_everybody_once():
    short = people(0.3, 0.29, 0.28, 0.27)
    tickets = draw_band(short, 2, BandRules(7, 10, 0.5, 0.05), "t")
    assert [t.person for t in tickets] == ["P0", "P1", "P2", "P3"] and {t.propensity for t in tickets} == {0.5}


def test_where_only_people_of_one_side_may_take_part_nobody_is_drawn():
    line = people(0.3, 0.29, 0.28, 0.27, 0.26, 0.25, safety_gap=(0, 1, 2))
    assert draw_band(line, 3, BandRules(7, 3, 0.5, 0.05), "t") == ()


def test_risks_of_nought_are_drawn_like_any_equal_ones():
    assert sum(t.drawn for t in draw_band(people(*[0.0] * 6), 3, BandRules(7, 3), "t")) == 3
