"""Compiled loops of the bootstrap: one pass over rows in order of risk for each draw of people.

``weights`` has one row a draw and one column a person (row 0 is all ones: the figure itself); ``people`` is the person
of each row, and ``each`` how many rows it stands for. Rows are never copied. Every kernel releases the GIL, so outcomes
and horizons run side by side.
"""

from __future__ import annotations

import numpy as np

from features.jit import jit
from features.parts import part

NEWTON_STEPS = 40
CELLS = 512


@jit()
def ranking(people, label, last_of_tie, each, weights):
    """AUROC and average precision, shape (draws, 2). Rows from the highest score down; ``last_of_tie`` closes a group
    of equal scores."""
    out = np.empty((len(weights), 2))
    for draw in range(len(weights)):
        w = weights[draw]
        found, others = 0.0, 0.0
        concordant, precision = 0.0, 0.0
        tied_events, tied_others = 0.0, 0.0
        for row in range(len(people)):
            weight = w[people[row]] * each[row]
            if label[row] > 0:
                tied_events += weight
            else:
                tied_others += weight
            if last_of_tie[row]:
                concordant += tied_others * (found + tied_events / 2)
                found += tied_events
                others += tied_others
                if tied_events > 0:
                    precision += found / (found + others) * tied_events
                tied_events, tied_others = 0.0, 0.0
        out[draw, 0] = concordant / (found * others) if found > 0 and others > 0 else np.nan
        out[draw, 1] = precision / found if found > 0 else np.nan
    return out


@jit()
def lines(people, label, logit, each, weights):
    """Slope, intercept, and calibration in the large (the intercept beside a slope of 1), shape (draws, 3), by
    Newton's method.

    Rows are put in CELLS of equal width of the logit, each at its mean: an error of under a hundredth of the standard
    error, for a fraction of the time.
    """
    out = np.full((len(weights), 3), np.nan)
    rows = len(people)
    if rows == 0:
        return out
    lowest, highest = logit.min(), logit.max()
    scale = (CELLS - 1) / (highest - lowest) if highest > lowest else 0.0
    cell, number, centre = np.empty(rows, np.int64), np.zeros(CELLS), np.zeros(CELLS)
    for row in range(rows):
        cell[row] = int((logit[row] - lowest) * scale)
        number[cell[row]] += each[row]
        centre[cell[row]] += each[row] * logit[row]
    used = np.flatnonzero(number > 0)
    place = np.zeros(CELLS, np.int64)
    for n in range(len(used)):
        place[used[n]] = n
    x = centre[used] / number[used]
    start = np.zeros(3)
    for draw in range(len(weights)):
        held, happened = np.zeros(len(used)), np.zeros(len(used))
        for row in range(rows):
            weight = weights[draw, people[row]] * each[row]
            held[place[cell[row]]] += weight
            happened[place[cell[row]]] += weight * label[row]
        events, total = happened.sum(), held.sum()
        if events <= 0 or events >= total:
            continue
        if np.isnan(out[0, 0]):
            start[0], start[1], start[2] = 0.0, np.log(events / (total - events)), 0.0
        out[draw, 0], out[draw, 1] = _line(x, held, happened, start[0], start[1])
        out[draw, 2] = _shift(x, held, happened, start[2])
        if draw == 0 and not np.isnan(out[0, 0]):
            start[:] = out[0]
    return out


@part()
def _line(x, held, happened, slope, intercept):
    for _ in range(NEWTON_STEPS):
        g0, g1, h00, h01, h11 = 0.0, 0.0, 0.0, 0.0, 0.0
        for n in range(len(x)):
            p = 1 / (1 + np.exp(-min(40.0, max(-40.0, slope * x[n] + intercept))))
            residual, spread = happened[n] - held[n] * p, held[n] * p * (1 - p)
            g0 += residual
            g1 += residual * x[n]
            h00 += spread
            h01 += spread * x[n]
            h11 += spread * x[n] * x[n]
        determinant = h00 * h11 - h01 * h01
        if determinant <= 1e-12 * max(1.0, h00 * h11):
            return np.nan, np.nan
        d_slope, d_intercept = (h00 * g1 - h01 * g0) / determinant, (h11 * g0 - h01 * g1) / determinant
        furthest = max(abs(d_slope), abs(d_intercept))
        size = min(1.0, 4.0 / max(furthest, 1e-12))
        slope, intercept = slope + size * d_slope, intercept + size * d_intercept
        if furthest < 1e-7:
            return slope, intercept
    return np.nan, np.nan


@part()
def _shift(x, held, happened, shift):
    for _ in range(NEWTON_STEPS):
        gradient, spread = 0.0, 0.0
        for n in range(len(x)):
            p = 1 / (1 + np.exp(-min(40.0, max(-40.0, x[n] + shift))))
            gradient += happened[n] - held[n] * p
            spread += held[n] * p * (1 - p)
        step = min(4.0, max(-4.0, gradient / max(spread, 1e-12)))
        shift += step
        if abs(step) < 1e-7:
            return shift
    return np.nan


@jit()
def calibration_errors(people, label, risk, each, weights, bins):
    """ICI, E50 and E90, shape (draws, 3). Rows from the lowest risk up; the smooth curve joins ``bins`` groups of
    equal weight."""
    out = np.full((len(weights), 3), np.nan)
    rows = len(people)
    error, held = np.empty(rows), np.empty(rows)
    for draw in range(len(weights)):
        w = weights[draw]
        total, events = 0.0, 0.0
        for row in range(rows):
            held[row] = w[people[row]] * each[row]
            total += held[row]
            events += held[row] * label[row]
        if total <= 0 or events <= 0:
            continue
        mass, centre, share = np.zeros(bins), np.zeros(bins), np.zeros(bins)
        before = 0.0
        for row in range(rows):
            before += held[row]
            group = min(int((before - held[row] / 2) / total * bins), bins - 1)
            mass[group] += held[row]
            centre[group] += held[row] * risk[row]
            share[group] += held[row] * label[row]
        kept = 0
        for group in range(bins):
            if mass[group] > 0:
                centre[kept], share[kept] = centre[group] / mass[group], share[group] / mass[group]
                kept += 1
        place, ici, largest = 0, 0.0, 0.0
        for row in range(rows):
            p = risk[row]
            while place < kept and centre[place] < p:
                place += 1
            if place == 0:
                curve = share[0]
            elif place == kept:
                curve = share[kept - 1]
            else:
                step = (p - centre[place - 1]) / (centre[place] - centre[place - 1])
                curve = share[place - 1] + step * (share[place] - share[place - 1])
            error[row] = abs(curve - p)
            ici += held[row] * error[row]
            largest = max(largest, error[row])
        out[draw, 0] = ici / total
        out[draw, 1] = _quantile(error, held, 0.5 * total, largest)
        out[draw, 2] = _quantile(error, held, (0.9 - 1e-12) * total, largest)
    return out


@part(_nrt=True)
def _quantile(value, weight, wanted, largest):
    """The smallest ``value`` (0 to ``largest``) with at least ``wanted`` of the weight at or below it. Exact, without
    sorting all."""
    cells = 1024
    scale = (cells - 1) / largest if largest > 0 else 0.0
    mass = np.zeros(cells)
    for row in range(len(value)):
        mass[int(value[row] * scale)] += weight[row]
    cell, before = 0, 0.0
    while cell < cells - 1 and before + mass[cell] < wanted:
        before += mass[cell]
        cell += 1
    inside, held = np.empty(len(value)), np.empty(len(value))
    number = 0
    for row in range(len(value)):
        if int(value[row] * scale) == cell and weight[row] > 0:
            inside[number], held[number] = value[row], weight[row]
            number += 1
    order = np.argsort(inside[:number])
    for place in order:
        before += held[place]
        if before >= wanted:
            return inside[place]
    return inside[order[number - 1]] if number else np.nan


@jit()
def weekly_lists(order, day, team, person, slots, cool_off):
    """Marks who is listed, ``slots`` to a team and day, leaving off people listed less than ``cool_off`` days ago.
    ``order`` is by day, then team, then place in the list."""
    listed = np.zeros(len(order), np.bool_)
    if len(order) == 0:
        return listed
    last = np.full(person.max() + 1, -1_000_000_000, np.int64)
    taken = 0
    for n in range(len(order)):
        row = order[n]
        if n == 0 or day[row] != day[order[n - 1]] or team[row] != team[order[n - 1]]:
            taken = 0
        if taken < slots and day[row] - last[person[row]] >= cool_off:
            listed[row] = True
            last[person[row]] = day[row]
            taken += 1
    return listed


@jit()
def crossings(
    feature,
    threshold,
    left,
    right,
    value,
    node_start,
    leaf_start,
    used,
    horizon,
    low,
    high,
    days,
    shift,
    slope,
    rows,
    seed,
):
    """How many of ``rows`` random rows have a shorter horizon with the higher calibrated logit, and the largest such
    fall.

    Only trees that split on the horizon can make risks differ between horizons, so only those are passed. ``used`` are
    their features; a value is missing one time in five, else uniform over ``low`` to ``high``.
    """
    np.random.seed(seed)
    values = np.zeros(len(low))
    bad, worst = 0, 0.0
    for _ in range(rows):
        for n in range(len(used)):
            column = used[n]
            values[column] = (
                np.nan if np.random.random() < 0.2 else low[column] + np.random.random() * (high[column] - low[column])
            )
        before = 0.0
        for h in range(len(days)):
            values[horizon] = days[h]
            margin = 0.0
            for tree in range(len(node_start) - 1):
                node = 0
                while node >= 0:
                    at = node_start[tree] + node
                    x = values[feature[at]]
                    goes_left = (x <= threshold[at]) if not np.isnan(x) else left[at, 1] == 1
                    node = left[at, 0] if goes_left else right[at]
                margin += value[leaf_start[tree] - node - 1]
            logit = slope * margin + shift[h]
            if h > 0 and logit < before - 1e-12:
                bad += 1
                worst = max(worst, before - logit)
                break
            before = logit
    return bad, worst
