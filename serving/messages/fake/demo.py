"""The demo's texts: invented numbers, and the imitation of GOV.UK Notify, which runs beside the service on a free
port of this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import uvicorn

from serving.identities.keys import IdentityKeys
from serving.identity.callers import Caller, Role
from serving.messages import repository
from serving.messages.fake.notify import Phones, calls_to, fake_notify
from serving.messages.numbers.loading import store_numbers
from serving.settings import IDENTITY_KEY
from serving.storage import migrations
from serving.texting_settings import TextTemplate

SETTING = "UPSTREAM_TEXTING"
EVERYBODY = Caller("demo", Role.CMHT_SYSTEM, None, "Demo")
NOT_USED = frozenset((0, 2, 3, 111, 222))
"""Numbers of the range for drama that Notify's own tests use."""
INVITE = TextTemplate(
    name="invite",
    label="Invitation",
    text="Your appointment team would like to hear from you. Reply 1 to be called, 2 to change a time, STOP to end.",
    template_id=str(uuid.UUID(int=1)),
)
REMINDER = TextTemplate(
    name="reminder",
    label="Reminder",
    text="Your appointment team expects you soon. Reply 2 to change the time, 1 to be called, STOP to end.",
    template_id=str(uuid.UUID(int=2)),
)
AUTOMATIC = TextTemplate(
    name="automatic",
    label="Automatic answer",
    text="Thank you, your reply has come. Nobody reads replies at night. If you need help now, call 111 and choose "
    "option 2. If a life is in danger, call 999.",
    template_id=str(uuid.UUID(int=3)),
)


def invent_numbers(home: Path) -> int:
    """Gives the people highest on their lists numbers that Ofcom keeps for drama, and most of them consent; returns how
    many have one. There are 995 such numbers. Numbers that are there already are kept."""
    with migrations.opened(home) as database, database.write() as connection:
        held = repository.how_many_numbers(connection)
        listed = repository.highest_listed(connection, EVERYBODY, 1_000 - len(NOT_USED))
    if held or not listed:
        return held
    numbers = (f"+447700900{n:03d}" for n in range(1_000) if n not in NOT_USED)
    found = {
        who: (number, hashlib.sha256(who.encode()).digest()[0] > 40)
        for who, number in zip(listed, numbers, strict=False)
    }
    store_numbers(home, found, IdentityKeys.read(home / IDENTITY_KEY))
    return len(found)


@contextmanager
def phones_beside_the_demo() -> Iterator[Phones | None]:
    """Runs the imitation during the block, and configures the service to send texts through it. Set ``brings_to``
    once the service listens.

    Gives None and runs nothing if texts are set up already, or the client of GOV.UK Notify is not installed.
    """
    if os.environ.get(SETTING) or find_spec("notifications_python_client") is None:
        yield None
        return
    token, api_key = secrets.token_hex(32), f"demo-{uuid.uuid4()}-{uuid.uuid4()}"
    phones = Phones({one.template_id: one for one in (INVITE, REMINDER, AUTOMATIC)}, api_key=api_key, token=token)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))  # a free port: two demos never share one
        listening.listen()
        phones.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(fake_notify(phones), log_config=None, access_log=False, ws="none"))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="phones-of-the-demo", daemon=True
        )
        thread.start()
        os.environ[SETTING] = json.dumps(
            {
                "provider": "govuk_notify",
                "api_key": api_key,
                "base_url": phones.address,
                "receive_token": token,
                "templates": [INVITE.model_dump(), REMINDER.model_dump()],
                "automatic": AUTOMATIC.model_dump(),
            }
        )
        try:
            yield phones
        finally:
            os.environ.pop(SETTING, None)
            server.should_exit = True
            thread.join(10)


def brings_to(phones: Phones, service: str) -> None:
    """Starts to deliver receipts and replies to the service."""
    phones.call = calls_to(service, phones.token)
