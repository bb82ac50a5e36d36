"""What a reply means, as rules over its words: closed codes, STOP, words of distress. Pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from features.reference.words import plain_word
from serving.messages.templates import found_in, words_of


class Meaning(StrEnum):
    """What a reply asks for. ``WORDS`` is everything that is no closed code."""

    CALL = "call"
    CHANGE = "change"
    STOP = "stop"
    START = "start"
    WORDS = "words"


MEANING_LABELS = {
    Meaning.CALL: "Asks to be called",
    Meaning.CHANGE: "Asks to change the appointment",
    Meaning.STOP: "Wants no more texts",
    Meaning.START: "Wants texts again",
    Meaning.WORDS: "Wrote something",
}
CONTACTS = (Meaning.CALL, Meaning.CHANGE)
"""Codes that count as a contact by text. To stop is a choice, and words are read by people alone."""
_CODES = {
    "1": Meaning.CALL,
    "2": Meaning.CHANGE,
    "start": Meaning.START,
    "stop": Meaning.STOP,
    "stop all": Meaning.STOP,
    "stopall": Meaning.STOP,
    "unsubscribe": Meaning.STOP,
    "end": Meaning.STOP,
    "cancel": Meaning.STOP,
    "quit": Meaning.STOP,
}
_STOPS_IN_WORDS = ("stop texting", "stop messaging", "stop sending", "dont text", "don t text", "do not text")


@dataclass(frozen=True)
class ReadReply:
    """A reply as the rules read it. ``stops`` may be true beside words: then both are honoured."""

    meaning: Meaning
    stops: bool
    distress: bool

    @property
    def held_for_team(self) -> bool:
        """Whether somebody of the team must read it."""
        return self.meaning is Meaning.WORDS


@cache
def distress_words() -> frozenset[str]:
    return words_of("distress")


def read_reply(text: str) -> ReadReply:
    """What ``text`` means. A code counts only alone; STOP counts at the beginning of any words."""
    plain = plain_word(text)
    meaning = _CODES.get(plain, Meaning.WORDS)
    stops = meaning is Meaning.STOP or plain.startswith("stop ") or bool(found_in(text, _STOPS_IN_WORDS))
    return ReadReply(meaning, stops, meaning is Meaning.WORDS and bool(found_in(text, distress_words())))
