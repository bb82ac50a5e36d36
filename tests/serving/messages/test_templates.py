"""Fixed texts: what may stand in one, by example and for every clinical word of the reference tables."""

from __future__ import annotations

import pytest

from features.reference import MEDICINES, TESTS
from serving.messages.templates import TemplateRefused, check_templates, clinical_words, found_in
from serving.texting_settings import TextingSettings, TextTemplate
from tests.serving.messages.desks import AUTOMATIC, INVITE, TEXTING


def settings(text, automatic=AUTOMATIC):
    return TextingSettings(
        templates=(TextTemplate(name="one", label="One", text=text, template_id="t"),), automatic=automatic
    )


def test_the_texts_of_the_research_may_be_sent():
    check_templates(TEXTING, ["North CMHT"])
    assert found_in(INVITE.text + AUTOMATIC.text, clinical_words()) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Your clozapine is due, STOP to end", "holds clozapine"),
        ("Clozaril is ready, STOP to end", "holds clozaril"),
        ("Your full blood count is due, STOP to end", "full blood count"),
        ("About your bipolar group, STOP to end", "holds bipolar"),
        ("Your mental health team, STOP to end", "mental health"),
        ("The North team wants to hear from you, STOP to end", "names a team"),
        ("Book at https://example.test/x STOP to end", "holds a link"),
        ("Book at appointments.nhs.uk STOP to end", "holds a link"),
        ("Dear ((name)), STOP to end", "a place to fill in"),
        ("Reply 1 to be called", "says nothing of STOP"),
    ],
)
def test_a_text_is_refused_with_what_is_wrong(text, why):
    with pytest.raises(TemplateRefused, match=why):
        check_templates(settings(text), ["North team"])


def test_every_medicine_and_test_of_the_tables_is_found():
    assert len(clinical_words()) > len(MEDICINES) + len(TESTS)
    missed = [word for word in clinical_words() if not found_in(f"Please come about {word} today", [word])]
    assert missed == []


@pytest.mark.parametrize("part", ["night", "111", "option 2", "999"])
def test_the_automatic_answer_says_where_help_is(part):
    short = AUTOMATIC.model_copy(update={"text": AUTOMATIC.text.replace(part, "")})
    with pytest.raises(TemplateRefused, match=part):
        check_templates(settings(INVITE.text, short))


def test_a_provider_without_its_parts_is_refused():
    with pytest.raises(ValueError, match="needs api_key"):
        TextingSettings(provider="govuk_notify")
    with pytest.raises(ValueError, match="32 characters"):
        TextingSettings(receive_token="short")


def test_a_service_with_a_clinical_word_in_a_text_does_not_start(home, start):
    with pytest.raises(TemplateRefused, match="lithium"):
        start(home, texting=settings("Your lithium level is due, STOP to end"))
