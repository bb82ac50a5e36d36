"""Checks the fixed texts at start: no clinical word, no speciality, no link, no placeholder, and always a way to
stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from features.errors import UpstreamError
from features.reference import MEDICINES, TESTS, read_rows
from features.reference.diagnoses import GROUPS
from features.reference.words import plain_word
from serving.texting_settings import TextingSettings, TextTemplate

_LINK = re.compile(r"://|\bwww\.|\b[\w-]+\.(?:uk|com|org|net|nhs|gov|io|info|app|ly|me|eu|co)\b", re.IGNORECASE)
_STOP = re.compile(r"\bSTOP\b")
IN_AN_AUTOMATIC_ANSWER = ("night", "111", "option 2", "999")
"""Words that the automatic answer must hold: nobody reads at night, and where to get help."""


ONE_WAY = "do not reply"
GENERAL_WORDS = frozenset(("a", "and", "appointment", "of", "our", "service", "services", "team", "the", "your"))


class TemplateRefused(UpstreamError):
    """A text that may not be sent. The message names the template, what is wrong and what to do."""


def words_of(kind: str) -> frozenset[str]:
    """The words of one kind (``speciality``, ``clinical``, ``distress``) in ``words.csv``, as they are compared."""
    return frozenset(
        plain_word(row["word"]) for row in read_rows("words", Path(__file__).parent) if row["kind"] == kind
    )


@cache
def clinical_words() -> frozenset[str]:
    """Every medicine, test and diagnosis of the reference tables, every speciality and clinical word of ours."""
    found = {*MEDICINES, *(row["medicine"] for row in read_rows("other_medicines"))}
    for row in read_rows("medicine_names"):
        found |= {row["name"], row["medicine"]}
    for test in TESTS:
        found.add(test)
    found |= {row["label"] for row in read_rows("tests") if row["label"]}
    found |= {*GROUPS, *(row["value"] for row in read_rows("diagnosis_groups") if row["by"] == "label")}
    plain = {plain_word(word) for word in found}
    return frozenset(word for word in plain if word) | words_of("clinical") | words_of("speciality")


def found_in(text: str, words: Iterable[str]) -> list[str]:
    """The words of ``words`` (in the form of ``plain_word``) that are in ``text`` as whole words."""
    padded = f" {plain_word(text)} "
    return sorted(word for word in words if f" {word} " in padded)


def names_a_team(text: str, team_names: Iterable[str]) -> bool:
    """Whether a text holds the name of a team. A name of general words only, such as "The team", reveals nothing."""
    told = (plain_word(name) for name in team_names)
    return bool(found_in(text, [name for name in told if name and set(name.split()) - GENERAL_WORDS]))


def check_templates(texting: TextingSettings, team_names: Iterable[str] = ()) -> None:
    """Raises ``TemplateRefused`` for the first template that may not be sent. Without a provider too."""
    teams = tuple(team_names)
    for template in texting.templates:
        _check(template, teams)
        if texting.provider == "nhs_notify":
            _check_one_way(template)
        elif not _STOP.search(template.text):
            raise _refused(template, "says nothing of STOP", "end it with how to stop, as in: STOP to end")
    if texting.automatic is not None:
        _check(texting.automatic, teams)
        missing = [part for part in IN_AN_AUTOMATIC_ANSWER if part not in texting.automatic.text]
        if missing:
            raise _refused(
                texting.automatic, f"lacks {', '.join(missing)}", "say that nobody reads at night, 111 option 2 and 999"
            )


def _check(template: TextTemplate, teams: Sequence[str]) -> None:
    if "((" in template.text or "{" in template.text:
        raise _refused(template, "has a place to fill in", "write the whole text; nothing is filled in")
    if _LINK.search(template.text):
        raise _refused(template, "holds a link", "leave the link out; people are taught not to press links in texts")
    clinical = found_in(template.text, clinical_words())
    if clinical:
        raise _refused(template, f"holds {', '.join(clinical)}", "somebody else may read the phone; leave it out")
    if names_a_team(template.text, teams):
        raise _refused(template, "names a team", "a team's name says what somebody is treated for; leave it out")


def _check_one_way(template: TextTemplate) -> None:
    """NHS Notify takes no replies, so a text must not ask for one."""
    text = template.text.casefold()
    if _STOP.search(template.text) or "reply" in text.replace(ONE_WAY, ""):
        raise _refused(template, "offers a reply", "NHS Notify hears none; leave STOP and the numbers out")
    if ONE_WAY not in text:
        raise _refused(template, f"lacks the words '{ONE_WAY}'", "say so, and how to reach the team by telephone")


def _refused(template: TextTemplate, what: str, do: str) -> TemplateRefused:
    return TemplateRefused(f"UPSTREAM_TEXTING: the template {template.name} {what}: {do}")
