"""Compiled parts of the simulator's day, and the entry points that Python calls.

An entry point is cached until anything that it was compiled from changes (features/jit.py), so that two machines never
give different bytes for one seed.
"""

from __future__ import annotations

from features.jit import jit
from features.parts import part

step = part(_nrt=False)
"""Compiles a part of an entry point, called from compiled code only.

A step counts no references to the arrays that it is given: the entry point holds them. Counting took more than half of
the time of a day. So a step makes no array (numba refuses to compile one that does).
"""

making = part(_nrt=True)
"""As ``step``, for a part that makes an array, or sets one from another."""

entry = jit()
"""Compiles a function that Python calls, for threads (no interpreter lock)."""
