"""Reads the meaning of a reply by rules over its words: closed codes, STOP, words of distress."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from features.reference.words import plain_word
from serving.messages.templates import words_of


class Meaning(StrEnum):
    """The request in a reply. ``WORDS`` is any reply that is not a closed code."""

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
"""Codes that count as a contact by text. STOP is a choice, not a contact, and only people read words."""
_CODES = {"1": Meaning.CALL, "2": Meaning.CHANGE, "start": Meaning.START}
_STOP_ALONE = frozenset(("stop", "stopp", "stoppp", "stopall", "unsubscribe", "quit"))
"""Ways to write STOP, without the spaces in it."""
_ALSO_STOP = frozenset(("cancel", "end"))
"""These words stop the texts too, and a team member reads them: the person may want to cancel an appointment."""
_AROUND_STOP = frozenset(
    (
        *("please", "pls", "plz", "thanks", "thank", "you", "now", "it", "this", "these", "the", "all", "texts"),
        *("text", "texting", "messages", "messaging", "me", "sending", "just", "ok", "okay"),
    )
)
"""Words beside STOP that do not change its meaning."""
_STOPS_IN_WORDS = (
    *("stop texting", "stop messaging", "stop sending", "stop contacting", "stop the texts", "stop these texts"),
    *("stop texts", "stop messages", "stop the messages", "stop these messages", "no more texts", "no more messages"),
    *("dont text", "don t text", "do not text", "dont message", "don t message", "do not message"),
    *("dont contact", "don t contact", "do not contact", "unsubscribe", "opt out", "opt me out", "remove me"),
    *("take me off", "leave me alone", "text stop", "texts stop", "texting stop"),
)


_SENTENCES = re.compile(r"[.!?,;:\n]+")
_CAPITALS = re.compile(r"\bSTOP\b")


@dataclass(frozen=True)
class ReadReply:
    """A reply as the rules read it. ``stops`` may be True for a reply of words: then both apply."""

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
    """The meaning of ``text``. A code counts only alone. STOP counts in every usual spelling, alone or as a sentence,
    in capitals among small letters, at the beginning of any words, and in what people write instead of it."""
    plain = _plain(text)
    meaning = Meaning.STOP if _is_stop(plain) else _CODES.get(plain, Meaning.WORDS)
    stops = (
        meaning is Meaning.STOP
        or plain in _ALSO_STOP
        or plain.startswith("stop ")
        or any(_is_stop(_plain(sentence)) for sentence in _SENTENCES.split(text))
        or bool(_CAPITALS.search(text) and text != text.upper())
        or _any_of(_STOPS_IN_WORDS, plain)
    )
    return ReadReply(meaning, stops, meaning is Meaning.WORDS and _any_of(distress_words(), plain))


def _is_stop(plain: str) -> bool:
    """Whether the words mean STOP and nothing else."""
    told = [word for word in plain.split() if word not in _AROUND_STOP]
    return "".join(plain.split()) in _STOP_ALONE or (len(told) == 1 and told[0] in _STOP_ALONE)


def _plain(text: str) -> str:
    """The words as they are compared, without invisible characters. The cache of ``plain_word`` is not used, because
    it would keep what people wrote in memory."""
    seen = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Cc") or char.isspace())
    return str(plain_word.__wrapped__(seen))


def _any_of(words: Iterable[str], plain: str) -> bool:
    padded = f" {' '.join(plain.split())} "
    return any(f" {word} " in padded for word in words)
