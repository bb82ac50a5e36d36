"""A desk of texts over a small trust, with a messenger that remembers what it carried and a clock that tests set."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from serving.auditlog.log import Audit
from serving.identities.keys import IdentityKeys
from serving.identity.callers import Caller, Role
from serving.messages.desk import TextingDesk
from serving.messages.incoming.inbound import take_reply
from serving.messages.incoming.reaching_out import deal_with_waiting
from serving.messages.numbers.loading import store_numbers
from serving.messages.providers.messengers import NotSent
from serving.texting_settings import TextingSettings, TextTemplate

NOON = dt.datetime(2026, 1, 6, 12, 0, tzinfo=dt.UTC)
KEYS = IdentityKeys("k1", {"k1": bytes(range(32))})
NUMBERS = {f"N{i:02d}": f"+4477009000{i + 10}" for i in range(8)} | {"S02": "+447700900090"}
INVITE = TextTemplate(
    name="invite",
    label="Invitation",
    text="Your appointment team: reply 1 to be called, 2 to change, STOP to end",
    template_id="t-invite",
)
AUTOMATIC = TextTemplate(
    name="automatic",
    label="Automatic answer",
    text="Thank you. Nobody reads replies at night. If you need help now call 111 and choose option 2. "
    "If a life is in danger call 999.",
    template_id="t-automatic",
)
TOKEN = "t" * 40
TEXTING = TextingSettings(
    provider="govuk_notify",
    api_key="demo-00000000-0000-0000-0000-000000000001-00000000-0000-0000-0000-000000000002",
    base_url="http://127.0.0.1:9",
    receive_token=TOKEN,
    templates=(INVITE,),
    automatic=AUTOMATIC,
)
SAM = Caller("token-sam", Role.PHARMACIST, frozenset({"north"}), "Sam")


@dataclass
class Carrier:
    """A messenger that keeps what it carried. ``held`` are replies to be fetched; a send raises ``fails``."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    held: list[dict[str, str]] = field(default_factory=list)
    fails: NotSent | None = None
    by_nhs_number: bool = False

    def send(self, number, template, reference):
        if self.fails is not None:
            raise self.fails
        self.sent.append((number, template.name))
        return f"p{len(self.sent)}"

    def text_of(self, template):
        return template.text

    def received(self):
        return iter(self.held)

    def invites(self, number):
        return self.sent.count((number, "invite"))


@dataclass
class Clock:
    at: dt.datetime = NOON

    def __call__(self):
        return self.at


def desk_over(database, numbers=NUMBERS, consented=True):
    """A desk with everybody's number, and consent."""
    store_numbers(database, {who: (number, consented) for who, number in numbers.items()}, KEYS)
    return TextingDesk(database, TEXTING, KEYS, Carrier(), Clock())


def arrive(desk, given):
    """A reply comes in and everything follows: it is stored, read, alerted and answered. Whether it is new."""
    fresh = take_reply(desk, given)
    deal_with_waiting(desk)
    return fresh


def audit_of(database):
    return Audit(database, SAM.token_id, SAM.role.value, "test")


def reply(number, words, reply_id, at=NOON):
    """A reply as the provider's callback writes it."""
    return {"id": reply_id, "source_number": number.lstrip("+"), "message": words, "date_received": at.isoformat()}
