"""Lithium: levels, kidney function, thyroid and calcium. Some services recall people, some test by the half year, and
some leave most of it to the GP. In whose hands a person is, is a trait (``traits.well_kept``).

Shares and waits are set so that audits come out as published (ep124 to ep130): ``rates.targets.AUDITS``.
"""

from __future__ import annotations

from training.simulator.care.examinations import CALCIUM, EGFR, POTASSIUM, SODIUM, TSH
from training.simulator.care.formulary import LITHIUM
from training.simulator.events import measure
from training.simulator.jit import step
from training.simulator.random import chance, normal
from training.simulator.state import COMMUNITY, MOOD, TEST
from training.simulator.traits import RECALLED, well_kept

LITHIUM_LEVEL = TEST["lithium_level"]

THYROID_EVERY = 150
"""Days after which the thyroid is due again with a level."""


@step
def lithium_interval(p, s, m):
    """Days after one level at which the next is asked for."""
    if p.lithium_care < RECALLED:
        return 76
    if s.day - m[MOOD].started < 365:
        return 80 if well_kept(p) else 150
    return 150 if well_kept(p) else 330


@step
def lithium_tested(p, s, m, x):
    """Probability that a level is taken today: 0 until it is asked for, then as promptly as the service is. Somebody
    who has withdrawn seldom goes."""
    if s.day < s.lithium_on + lithium_interval(p, s, m):
        return 0.0
    prompt = 0.12 if p.lithium_care < RECALLED else (0.07 if well_kept(p) else 0.03)
    ready = prompt * x.teams[s.team].bloods if s.status == COMMUNITY else 0.006
    return ready * (0.15 if s.withdrawn == 1 else 1.0)


@step
def order_lithium(p, s, m, x):
    """The tests of today, if there are any."""
    if m[MOOD].medicine != LITHIUM:
        return
    likely = lithium_tested(p, s, m, x)
    if likely > 0.0 and chance(s, likely):
        s.lithium_on = s.day
        take_lithium_bloods(p, s, m, x, well_kept(p) or chance(s, 0.1))


@step
def take_lithium_bloods(p, s, m, x, more):
    """A level; with ``more`` the kidney and calcium from the same sample, and the thyroid once it is due again."""
    if chance(s, 0.95):
        measure(p, s, x, LITHIUM_LEVEL, 0.15 + 0.00075 * m[MOOD].dose * s.taken, 0.08, True)
    if not more:
        return
    if chance(s, 0.97):
        years = (s.day - m[MOOD].started) / 365.25
        measure(p, s, x, EGFR, p.renal - 0.9 * min(20.0, years), 4.0, True)
        measure(p, s, x, SODIUM, 140.0, 2.0, True)
        measure(p, s, x, POTASSIUM, 4.3, 0.3, True)
    if chance(s, 0.95):
        measure(p, s, x, CALCIUM, 2.38, 0.07, True)
    if s.day >= s.thyroid_on + THYROID_EVERY:
        s.thyroid_on = s.day
        if chance(s, 0.82):
            measure(p, s, x, TSH, 2.2 + 1.2 * max(0.0, normal(s)), 0.5, True)


@step
def bring_lithium_results(p, s, m, x):
    """Somebody referred on lithium comes with the referrer's last tests, of the weeks before, in most cases (ep127,
    ep128)."""
    if m[MOOD].medicine != LITHIUM or p.initial == 1 or p.established == 0 or not chance(s, 0.9):
        return
    today = s.day
    s.day = s.lithium_on
    take_lithium_bloods(p, s, m, x, True)
    s.day = today
