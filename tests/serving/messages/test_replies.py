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
        ("please stop texting me", Meaning.WORDS, True, False),
        ("Start", Meaning.START, False, False),
        ("1 please, and I can't cope", Meaning.WORDS, False, True),
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
def test_a_mobile_number_is_written_one_way(written, number):
    assert mobile(written) == number
