"""The compiled loop of the regimen: one pass over a person's supplies, then over their medicines."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from features.jit import jit
from features.kernels.coverage import COURSE_GAP_DAYS, carried
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
    """
    name = np.zeros(MAX_SLOTS, np.int64)
    start = np.zeros(MAX_SLOTS, np.int64)
    end = np.zeros(MAX_SLOTS, np.int64)
    last_dose = np.zeros(MAX_SLOTS, np.float64)
    dosed_on = np.zeros(MAX_SLOTS, np.int64)
    last_side = np.zeros(MAX_SLOTS, np.int64)
    trust_on = np.zeros(MAX_SLOTS, np.int64)
    gp_on = np.zeros(MAX_SLOTS, np.int64)
    required = np.zeros(MAX_SLOTS, np.uint8)
    for r in range(person.shape[0]):
        who, t = person[r], as_of[r]
        n = 0
        doses_28, doses_90, sides, newest = 0, 0, 0, _NEVER
        rises_30, rises_90, rises_270 = 0.0, 0.0, 0.0
        for i in range(offsets[who], offsets[who + 1]):
            if day[i] >= t:
                break
            if known[i] >= t or until[i] < t:
                continue
            s = 0
            while s < n and (name[s] != medicine[i] or required[s] != as_required[i]):
                s += 1
            if s == n:
                s = min(n, MAX_SLOTS - 1)
                n = min(n + 1, MAX_SLOTS)
                name[s], start[s], end[s] = medicine[i], day[i], day[i]
                last_dose[s], last_side[s], dosed_on[s] = np.nan, -1, day[i]
                trust_on[s], gp_on[s] = _NEVER, _NEVER
            elif day[i] > end[s] + COURSE_GAP_DAYS:
                start[s], end[s], last_dose[s], dosed_on[s] = day[i], day[i], np.nan, day[i]
            end[s] = carried(day[i], end[s], length[i])[1]
            required[s] = as_required[i]
            if not np.isnan(dose[i]):
                if not np.isnan(last_dose[s]) and last_dose[s] != dose[i]:
                    doses_28 += t - day[i] <= 28
                    doses_90 += t - day[i] <= 90
                    newest = max(newest, day[i])
                    dosed_on[s] = day[i]
                    if dose[i] > last_dose[s] and flags[name[s]] & PSYCHOTROPIC and not as_required[i]:
                        rises_30 += 0.5 ** ((t - day[i]) / 30.0)
                        rises_90 += 0.5 ** ((t - day[i]) / 90.0)
                        rises_270 += 0.5 ** ((t - day[i]) / 270.0)
                last_dose[s] = dose[i]
            if prescriber[i] >= 0:
                if last_side[s] >= 0 and last_side[s] != prescriber[i] and t - day[i] <= 180:
                    sides += 1
                last_side[s] = prescriber[i]
                if prescriber[i] == 0:
                    trust_on[s] = day[i]
                else:
                    gp_on[s] = day[i]
        if n == 0:
            continue
        row = out[r]
        row[:] = 0.0
        row[AT.percent_of_max] = np.nan
        row[AT.acb_high_days], row[AT.high_dose_days] = np.nan, np.nan
        row[AT.dose_changes_28d], row[AT.dose_changes_90d], row[AT.prescriber_changes_180d] = doses_28, doses_90, sides
        row[AT.dose_rises_halved_every_30_days], row[AT.dose_rises_halved_every_90_days] = rises_30, rises_90
        row[AT.dose_rises_halved_every_270_days] = rises_270
        for s in range(n):
            flag = flags[name[s]]
            run = t - start[s]
            psychotropic = flag & PSYCHOTROPIC != 0
            row[AT.shared_prescribing_90d] += _from_both(name, trust_on, gp_on, s, n, t - SHARED_DAYS)
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
                share = 100.0 * last_dose[s] / maximum[name[s]]
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
            settled = _NEVER
            for s in range(n):
                if flags[name[s]] & ANTIPSYCHOTIC and t <= end[s] + CURRENT_GRACE_DAYS:
                    settled = max(settled, max(start[s], dosed_on[s]))
            row[AT.high_dose_days] = t - settled
        if row[AT.acb_total] >= 3:
            row[AT.acb_high_days] = t - _reached_three(acb, name, start, end, n, t)
        row[AT.days_since_change] = t - newest if newest > _NEVER else np.nan
