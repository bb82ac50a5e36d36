"""How many examples Hypothesis invents for a law: few in the suite, many where ``UPSTREAM_EXAMPLES`` asks for more.

Every run draws other examples, so that few a run become many over a week of runs. ``UPSTREAM_EXAMPLES=20 make test``
draws twenty times as many.
"""

from __future__ import annotations

import os

TIMES = int(os.environ.get("UPSTREAM_EXAMPLES", "1"))


def examples(number: int) -> int:
    """``number`` times what ``UPSTREAM_EXAMPLES`` says."""
    return number * TIMES
