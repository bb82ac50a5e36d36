"""Random numbers by counter: draw ``n`` of person ``i`` depends only on (seed, i, n), so one person's course never
changes another's.

The mixing function is SplitMix64 (Steele, Lea, Flood 2014). Compiled code draws from a state record; columns of rows
draw with ``hashed``.
"""

from __future__ import annotations

import math

import numpy as np

from training.simulator.jit import step

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
ONE = np.uint64(1)
S30, S27, S31, S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
TO_UNIT = 1.0 / 9007199254740992.0


@step
def mix(z):
    """Scatter 64 bits."""
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@step
def stream_key(seed, first, second, third):
    """The key of one stream: who it belongs to, in up to three numbers."""
    z = mix(np.uint64(seed) + GOLDEN)
    z = mix(z ^ (np.uint64(first) * MIX_1 + GOLDEN))
    z = mix(z ^ (np.uint64(second) * MIX_2 + GOLDEN))
    return mix(z ^ (np.uint64(third) * GOLDEN + ONE))


@step
def uniform(s):
    """Next number of the state's stream, in [0, 1)."""
    s.counter = s.counter + ONE
    return float(mix(s.key + s.counter * GOLDEN) >> S11) * TO_UNIT


@step
def aside(s, salt):
    """A number in [0, 1) of the person's day and ``salt`` that leaves the stream where it is: for what is only written
    down, so that more or less of it changes nobody's course."""
    return float(mix(mix(s.key + np.uint64(s.day) * GOLDEN) + np.uint64(salt) * MIX_1) >> S11) * TO_UNIT


@step
def chance(s, probability):
    return uniform(s) < probability


@step
def normal(s):
    """A standard normal number (Box and Muller), two draws."""
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(s)))
    return radius * math.cos(6.283185307179586 * uniform(s))


@step
def whole(s, low, high):
    """A whole number from ``low`` to ``high``, both included."""
    return low + int(uniform(s) * (high - low + 1))


@step
def pick(s, shares):
    """Index drawn in proportion to ``shares`` (need not sum to one)."""
    left = uniform(s) * shares.sum()
    for i in range(len(shares)):
        left -= shares[i]
        if left < 0.0:
            return i
    return len(shares) - 1


@step
def sigmoid(z):
    return 1.0 / (1.0 + math.exp(-z))


def hashed(seed: int, salt: int, *columns: np.ndarray) -> np.ndarray:
    """float64 (rows,) in [0, 1): one number per row, from the seed, a salt and whole-number columns that identify the
    row."""
    with np.errstate(over="ignore"):
        z = _mix_columns(np.uint64(seed) * MIX_2 + np.uint64(salt) * MIX_1 + GOLDEN)
        for column in columns:
            z = _mix_columns(z ^ (column.astype(np.int64).astype(np.uint64) * MIX_1 + GOLDEN))
    return (z >> S11).astype(np.float64) * TO_UNIT


def _mix_columns(z):
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)
