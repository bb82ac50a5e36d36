"""The compiled loop of the regimen: one pass over a person's supplies, then over their medicines."""

from __future__ import annotations

from collections import namedtuple
from typing import Any, NamedTuple

import numpy as np

from features.jit import jit
from features.kernels.coverage import COURSE_GAP_DAYS, carried
from features.kernels.settled import is_settled
from features.parts import part

FIELDS = (
    "percent_of_max",
    "antipsychotics",
    "antipsychotics_60d",
    "psychotropics",
    "psychotropics_60d",
    "acb_total",
    "qt_medicines",
    "regular_items",
    "as_required_items",
    "dependence_days",
    "starts_28d",
    "starts_90d",
    "stops_28d",
    "stops_90d",
    "switches_90d",
    "dose_changes_28d",
    "dose_changes_90d",
    "days_since_change",
    "prescriber_changes_180d",
    "shared_prescribing_90d",
    "interactions",
    "new_interactions_30d",
    "procyclidine_days",
    "longest_course_days",
    "acb_high_days",
    "high_dose_days",
    "dose_rises_halved_every_30_days",
    "dose_rises_halved_every_90_days",
    "dose_rises_halved_every_270_days",
)
AT: Any = namedtuple("AT", FIELDS)(*range(len(FIELDS)))
"""The position of each field, by its name."""
CURRENT_GRACE_DAYS = 28
SWITCH_DAYS = 60
OVER_DAYS = 60
SHARED_DAYS = 90
NEW_PAIR_DAYS = 30
MAX_SLOTS = 64
HIGH_DOSE_PERCENT = 100.0 + 1e-6
"""High dose means above the maximum (RCPsych CR190). This margin stops the sum of rounded shares at the maximum from
counting as above it.
"""
_NEVER = -(2**40)

ANTIPSYCHOTIC, PSYCHOTROPIC, QT, DEPENDENCE, PROCYCLIDINE = 1, 2, 4, 8, 32


@part()
def _new_base(base, name, start, end, s, t):
    """Whether no earlier current slot holds the same medicine in another form, and the same among courses of 60 days
    or more.
    """
    fresh, long_fresh = True, t - start[s] > OVER_DAYS
    for other in range(s):
        if base[name[other]] == base[name[s]] and t <= end[other] + CURRENT_GRACE_DAYS:
            fresh = False
            if t - start[other] > OVER_DAYS:
                long_fresh = False
    return fresh, long_fresh


@part()
def _stands_for(name, start, end, s, n, t):
    """Whether a current slot counts for its medicine: of two, regular and when needed, the one that began first."""
    for other in range(n):
        same = other != s and name[other] == name[s] and t <= end[other] + CURRENT_GRACE_DAYS
        if same and (start[other] < start[s] or (start[other] == start[s] and other < s)):
            return False
    return True


@part()
def _from_both(name, trust_on, gp_on, s, n, since):
    """Whether trust and GP both supplied the medicine of slot ``s`` since a day, one of them perhaps when needed. Of
    two slots of one medicine the first answers.
    """
    trust, gp = False, False
    for other in range(n):
        if name[other] == name[s]:
            if other < s:
                return False
            trust |= trust_on[other] >= since
            gp |= gp_on[other] >= since
    return trust and gp


@part()
def _reached_three(acb, name, start, end, n, t):
    """The first day on which the anticholinergic scores of the medicines current today added up to 3."""
    best = t
    for s in range(n):
        total = 0
        for other in range(n):
            held = t <= end[other] + CURRENT_GRACE_DAYS and start[other] <= start[s]
            if held and _stands_for(name, start, end, other, n, t):
                total += acb[name[other]]
        if total >= 3 and t <= end[s] + CURRENT_GRACE_DAYS:
            best = min(best, start[s])
    return best


class Slots(NamedTuple):
    """The medicines that a person has had, each regularly or when needed, in the order of their first supplies."""

    name: np.ndarray
    start: np.ndarray
    end: np.ndarray
    last_dose: np.ndarray
    dosed_on: np.ndarray
    last_side: np.ndarray
    trust_on: np.ndarray
    gp_on: np.ndarray
    required: np.ndarray
    counts: np.ndarray
    """How many slots, changes of dose, rises and changes of prescriber there are (N_SLOTS .. N_SIDES), and the day of
    the newest change of dose (NEWEST)."""


class Changes(NamedTuple):
    """Days on which something changed, in order."""

    dose: np.ndarray
    rise: np.ndarray
    side: np.ndarray


N_SLOTS, N_DOSES, N_RISES, N_SIDES, NEWEST = range(5)


@part(_nrt=True)
def _slots():
    n = MAX_SLOTS
    return Slots(
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.float64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint8),
        np.zeros(5, np.int64),
    )


@part()
def _copy(held, into):
    for k in range(held.counts.shape[0]):
        into.counts[k] = held.counts[k]
    for s in range(held.counts[N_SLOTS]):
        into.name[s], into.start[s], into.end[s] = held.name[s], held.start[s], held.end[s]
        into.last_dose[s], into.dosed_on[s], into.last_side[s] = held.last_dose[s], held.dosed_on[s], held.last_side[s]
        into.trust_on[s], into.gp_on[s], into.required[s] = held.trust_on[s], held.gp_on[s], held.required[s]


@part()
def _take(held, changes, day, length, medicine, dose, as_required, prescriber, flags):
    """Adds one supply to the slots, and what it changes to ``changes``."""
    n, s = held.counts[N_SLOTS], 0
    while s < n and (held.name[s] != medicine or held.required[s] != as_required):
        s += 1
    if s == n:
        s = min(n, MAX_SLOTS - 1)
        held.counts[N_SLOTS] = min(n + 1, MAX_SLOTS)
        held.name[s], held.start[s], held.end[s] = medicine, day, day
        held.last_dose[s], held.last_side[s], held.dosed_on[s] = np.nan, -1, day
        held.trust_on[s], held.gp_on[s] = _NEVER, _NEVER
    elif day > held.end[s] + COURSE_GAP_DAYS:
        held.start[s], held.end[s], held.last_dose[s], held.dosed_on[s] = day, day, np.nan, day
    held.end[s] = carried(day, held.end[s], length)[1]
    held.required[s] = as_required
    if not np.isnan(dose):
        if not np.isnan(held.last_dose[s]) and held.last_dose[s] != dose:
            changes.dose[held.counts[N_DOSES]] = day
            held.counts[N_DOSES] += 1
            held.counts[NEWEST] = max(held.counts[NEWEST], day)
            held.dosed_on[s] = day
            if dose > held.last_dose[s] and flags[medicine] & PSYCHOTROPIC and not as_required:
                changes.rise[held.counts[N_RISES]] = day
                held.counts[N_RISES] += 1
        held.last_dose[s] = dose
    if prescriber >= 0:
        if held.last_side[s] >= 0 and held.last_side[s] != prescriber:
            changes.side[held.counts[N_SIDES]] = day
            held.counts[N_SIDES] += 1
        held.last_side[s] = prescriber
        if prescriber == 0:
            held.trust_on[s] = day
        else:
            held.gp_on[s] = day


@part()
def _since(days, count, first):
    """How many of the first ``count`` days, which rise, are ``first`` or later."""
    found = 0
    while found < count and days[count - 1 - found] >= first:
        found += 1
    return found


@part()
def _fading(days, count, t, half_life):
    """How many of the first ``count`` days there are, each counted half for every ``half_life`` days since."""
    found = 0.0
    for k in range(count):
        found += 0.5 ** ((t - days[k]) / half_life)
    return found


@jit()
def regimen_kernel(
    offsets,
    day,
    known,
    until,
    length,
    medicine,
    dose,
    as_required,
    prescriber,
    flags,
    family,
    base,
    acb,
    maximum,
    important,
    person,
    as_of,
    out,
):
    """Fills ``out`` (rows x FIELDS). A slot is one medicine that a person has had, regularly or when needed: their
    doses add up, and scores and pairs count the medicine once. There are at most MAX_SLOTS; later medicines share the
    last slot.

    On a later day of one person the supplies that are settled are not read again.
    """
    always, now = _slots(), _slots()
    most = 64
    changes = Changes(np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64))
    before, reached, settled = -1, np.int64(0), 0
    for r in range(person.shape[0]):
        who, t = person[r], np.int64(as_of[r])
        last = offsets[who + 1]
        if who != before or t < reached:
            settled = offsets[who]
            always.counts[:] = 0
            always.counts[NEWEST] = _NEVER
            if last - settled > most:
                most = last - settled
                changes = Changes(np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64))
        before, reached = who, t
        while settled < last and is_settled(day, known, until, settled, t):
            if until[settled] >= t:
                i = settled
                on, days = np.int64(day[i]), np.int64(length[i])
                _take(always, changes, on, days, medicine[i], dose[i], as_required[i], prescriber[i], flags)
            settled += 1
        _copy(always, now)
        for i in range(settled, last):
            if day[i] >= t:
                break
            if known[i] < t and until[i] >= t:
                on, days = np.int64(day[i]), np.int64(length[i])
                _take(now, changes, on, days, medicine[i], dose[i], as_required[i], prescriber[i], flags)
        name, start, end, required, n = now.name, now.start, now.end, now.required, now.counts[N_SLOTS]
        newest, rises = now.counts[NEWEST], now.counts[N_RISES]
        if n == 0:
            continue
        row = out[r]
        row[:] = 0.0
        row[AT.percent_of_max] = np.nan
        row[AT.acb_high_days], row[AT.high_dose_days] = np.nan, np.nan
        row[AT.dose_changes_28d] = _since(changes.dose, now.counts[N_DOSES], t - 28)
        row[AT.dose_changes_90d] = _since(changes.dose, now.counts[N_DOSES], t - 90)
        row[AT.prescriber_changes_180d] = _since(changes.side, now.counts[N_SIDES], t - 180)
        row[AT.dose_rises_halved_every_30_days] = _fading(changes.rise, rises, t, 30.0)
        row[AT.dose_rises_halved_every_90_days] = _fading(changes.rise, rises, t, 90.0)
        row[AT.dose_rises_halved_every_270_days] = _fading(changes.rise, rises, t, 270.0)
        for s in range(n):
            flag = flags[name[s]]
            run = t - start[s]
            psychotropic = flag & PSYCHOTROPIC != 0
            row[AT.shared_prescribing_90d] += _from_both(name, now.trust_on, now.gp_on, s, n, t - SHARED_DAYS)
            if t > end[s] + CURRENT_GRACE_DAYS:
                if psychotropic and not required[s]:
                    newest = max(newest, end[s])
                    since = t - end[s] - CURRENT_GRACE_DAYS
                    row[AT.stops_28d] += since <= 28
                    row[AT.stops_90d] += since <= 90
                continue
            stands = _stands_for(name, start, end, s, n, t)
            if stands:
                row[AT.acb_total] += acb[name[s]]
                row[AT.qt_medicines] += flag & QT != 0
            if required[s]:
                row[AT.as_required_items] += 1
            else:
                row[AT.regular_items] += 1
            if flag & DEPENDENCE:
                row[AT.dependence_days] = max(row[AT.dependence_days], run)
            if flag & PROCYCLIDINE:
                row[AT.procyclidine_days] = max(row[AT.procyclidine_days], run)
            first, first_60 = _new_base(base, name, start, end, s, t)
            if psychotropic:
                row[AT.psychotropics] += first
                row[AT.psychotropics_60d] += first_60
                row[AT.longest_course_days] = max(row[AT.longest_course_days], run)
                if not required[s]:
                    newest = max(newest, start[s])
                    row[AT.starts_28d] += run <= 28
                    row[AT.starts_90d] += run <= 90
            if flag & ANTIPSYCHOTIC:
                row[AT.antipsychotics] += first
                row[AT.antipsychotics_60d] += first_60
                share = 100.0 * now.last_dose[s] / maximum[name[s]]
                if not np.isnan(share):
                    row[AT.percent_of_max] = (
                        share if np.isnan(row[AT.percent_of_max]) else row[AT.percent_of_max] + share
                    )
            for other in range(s):
                if t > end[other] + CURRENT_GRACE_DAYS or not important[name[s], name[other]]:
                    continue
                if not stands or not _stands_for(name, start, end, other, n, t):
                    continue
                row[AT.interactions] += 1
                row[AT.new_interactions_30d] += t - max(start[s], start[other]) <= NEW_PAIR_DAYS
        for s in range(n):
            kin = family[name[s]]
            if kin < 0 or t > end[s] + CURRENT_GRACE_DAYS or t - start[s] > 90 or required[s]:
                continue
            for other in range(n):
                stopped = t > end[other] + CURRENT_GRACE_DAYS and family[name[other]] == kin
                if stopped and abs(end[other] - start[s]) <= SWITCH_DAYS:
                    row[AT.switches_90d] += 1
                    break
        if row[AT.percent_of_max] > HIGH_DOSE_PERCENT:
            since = _NEVER
            for s in range(n):
                if flags[name[s]] & ANTIPSYCHOTIC and t <= end[s] + CURRENT_GRACE_DAYS:
                    since = max(since, max(start[s], now.dosed_on[s]))
            row[AT.high_dose_days] = t - since
        if row[AT.acb_total] >= 3:
            row[AT.acb_high_days] = t - _reached_three(acb, name, start, end, n, t)
        row[AT.days_since_change] = t - newest if newest > _NEVER else np.nan
