"""Processes that each take one reply and are killed at a chosen place: before the commit, after it, or after the
meaning is read.

Reads one ``[database, place, reply]`` a line and answers with the exit code of the process that took it. Each process
is forked from this one, which has imported the service and opened no database: 20 imports took half a minute.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from serving.messages.desk import TextingDesk
from serving.messages.incoming import inbound, reaching_out
from serving.storage.database import Database
from tests.serving.messages.desks import KEYS, TEXTING, Carrier, Clock


def die(*_args: object, **_named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def take(url: str, place: str, given: dict[str, object]) -> None:
    desk = TextingDesk(Database(url), TEXTING, KEYS, Carrier(), Clock())
    if place == "before the commit":
        inbound.repository.add_reply = die
    elif place == "after the commit":
        inbound.read_waiting = die
    elif place == "while it is read":
        inbound.repository.set_reply = die
    elif place == "before the answer":
        reaching_out._answer = die
    inbound.take_reply(desk, given)
    reaching_out.deal_with_waiting(desk)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            take(*json.loads(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
