"""The nightly run lets people at work go first: it loads and scores at a low priority, and publishes at its own.

Publishing holds the database, so that the service would wait for a run that itself waits for the service.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

LOW = 10
"""Niceness: about a tenth of what others get of a busy core, and all of an idle one."""
Progress = Callable[[str, int, int], None]


def letting_others_first(progress: Progress) -> Progress:
    """Lowers the priority of this process, and of all that it starts from now on. Returns ``progress``, which raises
    it again when the run publishes, where the system allows that (root, or ``LimitNICE`` of systemd)."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(before, LOW))

    def followed(stage: str, done: int, total: int) -> None:
        if stage == "publishing":
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, 0, before)
        progress(stage, done, total)

    return followed
