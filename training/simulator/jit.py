"""Compiled parts of the simulator's day, and the entry points that Python calls.

An entry point is cached until anything that it was compiled from changes (features/jit.py), so that two machines never
give different bytes for one seed.
"""

from __future__ import annotations

from features.jit import jit
from features.parts import part

step = part()
"""Compiles a part of an entry point, called from compiled code only."""

entry = jit()
"""Compiles a function that Python calls, for threads (no interpreter lock)."""
