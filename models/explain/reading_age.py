"""Reading age of the wording, as a number that a test can check.

The Automated Readability Index (Senter and Smith, 1967, AMRL-TR-6620): 4.71 x letters a word + 0.5 x words a sentence
- 21.43 is a school grade of the United States, whose pupils are five to six years older; we add six. It counts
letters, not syllables, so it needs no dictionary and gives the same result everywhere. A colon ends a sentence here,
because the text before it introduces a whole list. Short sentences with one long clinical word score high: the figure
is an upper guide, not a verdict.
"""

from __future__ import annotations

import re

READING_AGE = 14
"""In years. Every sentence of a reason or a what-if reads below this. Checked in
``tests/models/explain/test_reading_age.py``.
"""

_YEARS_AT_GRADE_0 = 6
_WORD = re.compile(r"[A-Za-z0-9]+(?:['-][A-Za-z0-9]+)*")


def reading_age(text: str) -> float:
    """Age in years at which a text should be easy to read. Raises ``ValueError`` for a text without a word."""
    words = _WORD.findall(text)
    if not words:
        raise ValueError("the text has no words; give a sentence")
    sentences = sum(bool(_WORD.search(part)) for part in re.split(r"[.!?:;]", text))
    letters = sum(len(word.replace("-", "").replace("'", "")) for word in words)
    grade = 4.71 * letters / len(words) + 0.5 * len(words) / sentences - 21.43
    return grade + _YEARS_AT_GRADE_0
