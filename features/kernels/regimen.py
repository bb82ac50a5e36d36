"""The compiled loop of the regimen: one pass over a person's supplies, then over the medicines they hold."""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.kernels.coverage import COURSE_GAP_DAYS, carried

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
)
CURRENT_GRACE_DAYS = 28
SWITCH_DAYS = 60
OVER_DAYS = 60
SHARED_DAYS = 90
NEW_PAIR_DAYS = 30
MAX_SLOTS = 64
HIGH_DOSE_PERCENT = 100.0 + 1e-6
"""High dose exceeds the maximum (RCPsych CR190): the sum of rounded shares at the maximum is none."""
_NEVER = -(2**40)

ANTIPSYCHOTIC, PSYCHOTROPIC, QT, DEPENDENCE, PROCYCLIDINE = 1, 2, 4, 8, 32
(
    PERCENT,
    N_AP,
    N_AP_60,
    N_PSY,
    N_PSY_60,
    ACB,
    N_QT,
    REGULAR,
    REQUIRED,
    DEPENDENCE_DAYS,
    STARTS_28,
    STARTS_90,
    STOPS_28,
    STOPS_90,
    SWITCHES,
    DOSES_28,
    DOSES_90,
    SINCE_CHANGE,
    PRESCRIBERS,
    SHARED,
    PAIRS,
    NEW_PAIRS,
    PROCYCLIDINE_DAYS,
    LONGEST,
    ACB_HIGH_DAYS,
    HIGH_DOSE_DAYS,
) = range(26)


@jit()
def _new_base(base, name, start, end, s, t):
    """Whether no earlier current slot holds the same medicine in another form; and the same among courses of 60 days
    or more."""
    fresh, long_fresh = True, t - start[s] > OVER_DAYS
    for other in range(s):
        if base[name[other]] == base[name[s]] and t <= end[other] + CURRENT_GRACE_DAYS:
            fresh = False
            if t - start[other] > OVER_DAYS:
                long_fresh = False
    return fresh, long_fresh


@jit()
def _reached_three(acb, name, start, end, n, t):
    """The first day on which the anticholinergic scores of today's medicines added up to 3."""
    best = t
    for s in range(n):
        total = 0
        for other in range(n):
            if t <= end[other] + CURRENT_GRACE_DAYS and start[other] <= start[s]:
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
    """Fills ``out`` (rows x FIELDS). Slots are the medicines a person has held, at most MAX_SLOTS; later ones share
    the last slot."""
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
        for i in range(offsets[who], offsets[who + 1]):
            if day[i] >= t:
                break
            if known[i] >= t or until[i] < t:
                continue
            s = 0
            while s < n and name[s] != medicine[i]:
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
        row[PERCENT] = np.nan
        row[ACB_HIGH_DAYS], row[HIGH_DOSE_DAYS] = np.nan, np.nan
        row[DOSES_28], row[DOSES_90], row[PRESCRIBERS] = doses_28, doses_90, sides
        for s in range(n):
            flag = flags[name[s]]
            run = t - start[s]
            psychotropic = flag & PSYCHOTROPIC != 0
            row[SHARED] += trust_on[s] >= t - SHARED_DAYS and gp_on[s] >= t - SHARED_DAYS
            if t > end[s] + CURRENT_GRACE_DAYS:
                if psychotropic and not required[s]:
                    newest = max(newest, end[s])
                    since = t - end[s] - CURRENT_GRACE_DAYS
                    row[STOPS_28] += since <= 28
                    row[STOPS_90] += since <= 90
                continue
            row[ACB] += acb[name[s]]
            row[N_QT] += flag & QT != 0
            if required[s]:
                row[REQUIRED] += 1
            else:
                row[REGULAR] += 1
            if flag & DEPENDENCE:
                row[DEPENDENCE_DAYS] = max(row[DEPENDENCE_DAYS], run)
            if flag & PROCYCLIDINE:
                row[PROCYCLIDINE_DAYS] = max(row[PROCYCLIDINE_DAYS], run)
            first, first_60 = _new_base(base, name, start, end, s, t)
            if psychotropic:
                row[N_PSY] += first
                row[N_PSY_60] += first_60
                row[LONGEST] = max(row[LONGEST], run)
                if not required[s]:
                    newest = max(newest, start[s])
                    row[STARTS_28] += run <= 28
                    row[STARTS_90] += run <= 90
            if flag & ANTIPSYCHOTIC:
                row[N_AP] += first
                row[N_AP_60] += first_60
                share = 100.0 * last_dose[s] / maximum[name[s]]
                if not np.isnan(share):
                    row[PERCENT] = share if np.isnan(row[PERCENT]) else row[PERCENT] + share
            for other in range(s):
                if t > end[other] + CURRENT_GRACE_DAYS or not important[name[s], name[other]]:
                    continue
                row[PAIRS] += 1
                row[NEW_PAIRS] += t - max(start[s], start[other]) <= NEW_PAIR_DAYS
        for s in range(n):
            kin = family[name[s]]
            if kin < 0 or t > end[s] + CURRENT_GRACE_DAYS or t - start[s] > 90 or required[s]:
                continue
            for other in range(n):
                stopped = t > end[other] + CURRENT_GRACE_DAYS and family[name[other]] == kin
                if stopped and abs(end[other] - start[s]) <= SWITCH_DAYS:
                    row[SWITCHES] += 1
                    break
        if row[PERCENT] > HIGH_DOSE_PERCENT:
            settled = _NEVER
            for s in range(n):
                if flags[name[s]] & ANTIPSYCHOTIC and t <= end[s] + CURRENT_GRACE_DAYS:
                    settled = max(settled, max(start[s], dosed_on[s]))
            row[HIGH_DOSE_DAYS] = t - settled
        if row[ACB] >= 3:
            row[ACB_HIGH_DAYS] = t - _reached_three(acb, name, start, end, n, t)
        row[SINCE_CHANGE] = t - newest if newest > _NEVER else np.nan
