"""The review form of the person page: what was ticked, what is wrong with it, and the fields to draw again with every
answer kept."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.http.problems import FieldProblem
from serving.reviews.schemas import ACTION_LABELS, MAX_SNOOZE_DAYS, ReviewIn
from serving.web.back_link import MAX_LENGTH

QUESTIONS = {
    "medicines_reconciled": "Medicines reconciled?",
    "allergies_up_to_date": "Allergies up to date?",
    "side_effects_assessed": "Side effects assessed?",
}
LISTING = {
    "useful": "Useful: worth looking at now",
    "already_known": "Already known to the team",
    "wrong_data": "Wrong: the record it rests on is not right",
}
FIELDS = ("actions", *QUESTIONS, "listing_was", "snooze_until")
SAID = {
    "actions": "Choose at least one thing that was done",
    **{name: f"Answer yes or no: {label.rstrip('?').lower()}" for name, label in QUESTIONS.items()},
    "listing_was": "Choose one of the answers about this listing, or none",
    "snooze_until": f"The day to show again must be a date after today, at most {MAX_SNOOZE_DAYS} days ahead",
}


class Wrong(NamedTuple):
    """A field and what to do about it; the words never repeat what was sent."""

    field: str
    text: str


class ReviewForm(BaseModel):
    """The form as it was sent. Everything is text here: ``read`` makes a review of it or says what is wrong."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    key: str = Field(default="", max_length=128)
    view: str = Field(default="", max_length=80)
    back: str = Field(default="", max_length=MAX_LENGTH)
    actions: list[str] = Field(default_factory=list, max_length=60)
    medicines_reconciled: str = Field(default="", max_length=10)
    allergies_up_to_date: str = Field(default="", max_length=10)
    side_effects_assessed: str = Field(default="", max_length=10)
    listing_was: str = Field(default="", max_length=40)
    snooze_until: str = Field(default="", max_length=20)

    def read(self) -> tuple[ReviewIn | None, list[Wrong]]:
        """The review, or what is wrong. An unanswered question is wrong: none of the three has a default."""
        answered = {"yes": True, "no": False}
        sent: dict[str, Any] = {name: answered.get(getattr(self, name)) for name in QUESTIONS}
        sent |= {
            "actions": self.actions,
            "listing_was": self.listing_was or None,
            "snooze_until": self.snooze_until or None,
        }
        if len(self.key) < 8:
            return None, [Wrong("actions", "This form was incomplete: send it again")]
        try:
            return ReviewIn.model_validate(sent), []
        except ValidationError as error:
            return None, _said(str(problem["loc"][0]) for problem in error.errors(include_input=False))


def refused(errors: Sequence[FieldProblem]) -> list[Wrong]:
    """What the rules of reviews refused, by field of the form."""
    return _said(error.where.removeprefix("body.") for error in errors)


def _said(names: Any) -> list[Wrong]:
    found = set(names)
    return [Wrong(name, SAID[name]) for name in FIELDS if name in found] or [Wrong("actions", "Check every answer")]


@dataclass(frozen=True)
class Option:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ReviewFields:
    """Everything the template draws. ``key`` makes a double click or a repeat of the same form harmless."""

    key: str
    actions: list[Option]
    questions: list[tuple[str, str, str]]
    listing: list[Option]
    snooze_until: str
    first_day: dt.date
    last_day: dt.date
    wrong: dict[str, str]


def review_fields(answers: ReviewForm, wrong: Sequence[Wrong]) -> ReviewFields:
    today = dt.datetime.now(dt.UTC).date()
    return ReviewFields(
        # Answers that were refused were stored under no key, so the same one serves again.
        key=answers.key if len(answers.key) >= 8 else secrets.token_urlsafe(18),
        actions=[Option(a.value, label, a.value in answers.actions) for a, label in ACTION_LABELS.items()],
        questions=[(name, label, getattr(answers, name)) for name, label in QUESTIONS.items()],
        listing=[Option(value, label, value == answers.listing_was) for value, label in LISTING.items()],
        snooze_until=answers.snooze_until,
        first_day=today + dt.timedelta(days=1),
        last_day=today + dt.timedelta(days=MAX_SNOOZE_DAYS),
        wrong=dict(wrong),
    )
