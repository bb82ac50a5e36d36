"""What a reply means: closed codes, STOP in words, distress."""

from __future__ import annotations

import pytest

from serving.messages.numbers.mobile import mobile
from serving.messages.replies import Meaning, distress_words, read_reply


@pytest.mark.parametrize(
    ("text", "meaning", "stops", "distress"),
    [
        ("1", Meaning.CALL, False, False),
        (" １. ", Meaning.CALL, False, False),
        ("2", Meaning.CHANGE, False, False),
        ("STOP", Meaning.STOP, True, False),
        ("stop!", Meaning.STOP, True, False),
        ("Stop, I want to die", Meaning.WORDS, True, True),
        ("please stop texting me", Meaning.STOP, True, False),
        ("Start", Meaning.START, False, False),
        ("1 please, and I can't cope", Meaning.WORDS, False, True),
        ("1️⃣", Meaning.CALL, False, False),
        ("S T O P", Meaning.STOP, True, False),
        ("s.t.o.p.", Meaning.STOP, True, False),
        ("ＳＴＯＰ", Meaning.STOP, True, False),
        ("S\u200bTOP\ufeff", Meaning.STOP, True, False),
        ("“STOP” 🙏", Meaning.STOP, True, False),
        ("STOPP", Meaning.STOP, True, False),
        ("please stop", Meaning.STOP, True, False),
        ("Ok just stop texting me now pls", Meaning.STOP, True, False),
        ("STOP\x00", Meaning.STOP, True, False),
        ("\ud83d stop", Meaning.STOP, True, False),
        ("Unsubscribe", Meaning.STOP, True, False),
        ("Cancel", Meaning.WORDS, True, False),
        ("END", Meaning.WORDS, True, False),
        ("no more texts, thank you", Meaning.WORDS, True, False),
        ("I don’t want you to. Do not contact me", Meaning.WORDS, True, False),
        ("take me off your list", Meaning.WORDS, True, False),
        ("Wrong number. Stop", Meaning.WORDS, True, False),
        ("I CANT STOP CRYING", Meaning.WORDS, False, False),
        ("I said STOP already", Meaning.WORDS, True, False),
        ("I can’t stop crying", Meaning.WORDS, False, False),
        ("cancel my appointment please", Meaning.WORDS, False, False),
        ("😀" * 300, Meaning.WORDS, False, False),
        ("x" * 20_000, Meaning.WORDS, False, False),
        ("12", Meaning.WORDS, False, False),
        ("see you at the bus stop", Meaning.WORDS, False, False),
        ("", Meaning.WORDS, False, False),
    ],
)
def test_a_reply_is_read(text, meaning, stops, distress):
    read = read_reply(text)
    assert (read.meaning, read.stops, read.distress) == (meaning, stops, distress)


def test_every_word_of_distress_is_found_inside_a_sentence():
    assert [word for word in distress_words() if not read_reply(f"well {word} today").distress] == []


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("07700 900123", "+447700900123"),
        ("+44 7700 900123", "+447700900123"),
        ("0044 (0)7700 900123", None),
        ("447700900123", "+447700900123"),
        ("07024 123456", None),
        ("07600 123456", None),
        ("0161 496 0000", None),
        ("7700900123", None),
        ("", None),
    ],
)
def test_a_mobile_number_is_normalised(written, number):
    assert mobile(written) == number


def test_replies_are_not_cached():
    from features.reference.words import plain_word

    before = plain_word.cache_info()
    read_reply("Zebrafinch is what I wrote")
    assert plain_word.cache_info() == before
