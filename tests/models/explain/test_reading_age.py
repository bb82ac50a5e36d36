"""Every sentence a reason or a what-if can say: from one table, plain, without blame or cause, below the reading age
that is stated."""

import itertools
import re

import pytest

from features import CATALOGUE, CONCEPTS
from models.explain.reading_age import READING_AGE, reading_age
from models.explain.reasons import ConceptText
from models.explain.what_if import ACTIONS, NOTE

SENTENCES = sorted(
    {
        ConceptText(c.slug, c.label, c.raises, c.lowers).sentence(raises, recorded, in_order)
        for c in CONCEPTS.values()
        for raises, recorded, in_order in itertools.product((True, False), repeat=3)
    }
    | {f"If {action.label}." for action in ACTIONS}
    | {NOTE}
)

# Words of blame, of cause, of a grade, of what rule 6 keeps out. "Missed" is the fact; who missed it is not said.
NEVER = re.compile(
    r"\b(because|due to|caused?|refus\w+|non-?complian\w*|fail\w*|uncooperative|defaulted|poor|bad|low "
    r"risk|safe|suicid\w*|discharge them"
    r"|age|sex|gender|ethnic\w*|deprivation|language|interpreter|disab\w*|autis\w*|housing|homeless)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_plain_and_blames_nobody(sentence):
    assert reading_age(sentence) < READING_AGE
    assert not NEVER.search(sentence)
    assert sentence[0].isupper() and sentence.endswith(".")


def test_the_table_holds_every_concept_once_and_nothing_else():
    assert {feature.concept for feature in CATALOGUE} == set(CONCEPTS)
    labels = [concept.label for concept in CONCEPTS.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        # letters 15 / words 5, one sentence of five words: 4.71 x 3 + 2.5 - 21.43 + 6
        ("The cat sat on them.", 4.71 * 3 + 0.5 * 5 - 21.43 + 6),
        ("Raises the estimated risk: a gap.", 4.71 * 26 / 6 + 0.5 * 6 / 2 - 21.43 + 6),
        ("Antipsychotic polypharmacy necessitates reconsideration.", 4.71 * 52 / 4 + 0.5 * 4 - 21.43 + 6),
    ],
)
def test_reading_age_follows_the_formula(text, age):
    assert reading_age(text) == pytest.approx(age)


def test_long_words_and_long_sentences_read_older():
    assert reading_age("The team saw her. She was well.") < reading_age(
        "The team saw her and she was well at the time."
    )
    assert reading_age("No tablets left.") < reading_age("No pharmaceuticals remaining.")
    with pytest.raises(ValueError, match="no word"):
        reading_age("...")
