"""A process that takes one reply and is killed by the test at a chosen place: before the commit, after it, or after the
meaning is read."""

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


def main(url: str, place: str, given: str) -> None:
    desk = TextingDesk(Database(url), TEXTING, KEYS, Carrier(), Clock())
    if place == "before the commit":
        inbound.repository.add_reply = die
    elif place == "after the commit":
        inbound.read_waiting = die
    elif place == "while it is read":
        inbound.repository.set_reply = die
    elif place == "before the answer":
        reaching_out._answer = die
    inbound.take_reply(desk, json.loads(given))
    reaching_out.deal_with_waiting(desk)


if __name__ == "__main__":
    main(*sys.argv[1:])
