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
from serving.reviews.rules import contradictions, grouped
from serving.reviews.schemas import ACTION_LABELS, MAX_SNOOZE_DAYS, Review, ReviewIn
from serving.web.back_link import MAX_LENGTH
from serving.web.forms.date_parts import DateParts

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
FIELDS = ("actions", *QUESTIONS, "listing_was", "snooze_until", "replaces")
SAID = {
    "actions": "Choose at least one thing that was done",
    **{name: f"Answer yes or no: {label.rstrip('?').lower()}" for name, label in QUESTIONS.items()},
    "listing_was": "Choose one of the answers about this listing, or none",
    "snooze_until": f"The day to show again must be a date after today, at most {MAX_SNOOZE_DAYS} days ahead",
    "replaces": "The review that this corrects is not there: open the person again and edit the newest one",
}


class Wrong(NamedTuple):
    """A field and what to do about it; the words never repeat what was sent."""

    field: str
    text: str


class ReviewForm(BaseModel):
    """The form as it was sent. Everything is text here: ``read`` makes a review of it or says what is wrong."""

    model_config = ConfigDict(extra="forbid")

    proof: str = Field(default="", max_length=128)
    author: str = Field(default="", max_length=64)
    key: str = Field(default="", max_length=128)
    view: str = Field(default="", max_length=80)
    back: str = Field(default="", max_length=MAX_LENGTH)
    actions: list[str] = Field(default_factory=list, max_length=60)
    medicines_reconciled: str = Field(default="", max_length=10)
    allergies_up_to_date: str = Field(default="", max_length=10)
    side_effects_assessed: str = Field(default="", max_length=10)
    listing_was: str = Field(default="", max_length=40)
    snooze_day: str = Field(default="", max_length=10)
    snooze_month: str = Field(default="", max_length=10)
    snooze_year: str = Field(default="", max_length=10)
    replaces: str = Field(default="", max_length=64)

    @classmethod
    def of(cls, review: Review) -> ReviewForm:
        """The form filled in as a review was, to correct it."""
        answers = {name: "yes" if getattr(review, name) else "no" for name in QUESTIONS}
        snooze = DateParts.of(review.snooze_until)
        return cls(
            actions=review.actions,
            listing_was=review.listing_was or "",
            snooze_day=snooze.day,
            snooze_month=snooze.month,
            snooze_year=snooze.year,
            replaces=review.review_id,
            **answers,
        )

    @property
    def snooze(self) -> DateParts:
        return DateParts(self.snooze_day, self.snooze_month, self.snooze_year)

    @property
    def kept(self) -> dict[str, Any]:
        """The parts worth keeping for later: the answers, without the form token and address."""
        return self.model_dump(exclude={"proof", "author", "key", "view", "back"})

    def read(self) -> tuple[ReviewIn | None, list[Wrong]]:
        """The review, or what is wrong. An unanswered question is wrong: none of the three has a default."""
        answered = {"yes": True, "no": False}
        sent: dict[str, Any] = {name: answered.get(getattr(self, name)) for name in QUESTIONS}
        sent |= {
            "actions": list(dict.fromkeys(self.actions)),
            "listing_was": self.listing_was or None,
            "replaces": self.replaces or None,
        }
        wrong = []
        try:
            sent["snooze_until"] = self.snooze.read()
        except ValueError:
            wrong.append("snooze_until")
        try:
            review = ReviewIn.model_validate(sent)
        except ValidationError as error:
            wrong += [str(problem["loc"][0]) for problem in error.errors(include_input=False)]
            return None, _said(wrong) + self._contradictions()
        if wrong:
            return None, _said(wrong) + self._contradictions()
        # Dates are judged where reviews are recorded; here so that a draft says everything at once.
        today = dt.datetime.now(dt.UTC).date()
        if review.snooze_until is not None and not 0 < (review.snooze_until - today).days <= MAX_SNOOZE_DAYS:
            wrong.append("snooze_until")
        if wrong or self._contradictions():
            return None, (_said(wrong) if wrong else []) + self._contradictions()
        return review, []

    def _contradictions(self) -> list[Wrong]:
        known = [action for action in self.actions if action in ACTION_LABELS]
        found = contradictions(known, side_effects_assessed=self.side_effects_assessed == "yes")
        return [Wrong(*one) for one in found]


def refused(errors: Sequence[FieldProblem]) -> list[Wrong]:
    """The fields that the rules of reviews refused."""
    return _said(error.where.removeprefix("body.") for error in errors)


def _said(names: Any) -> list[Wrong]:
    found = {name.partition("[")[0] for name in names}
    return [Wrong(name, SAID[name]) for name in FIELDS if name in found] or [Wrong("actions", "Check every answer")]


@dataclass(frozen=True)
class Option:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class OptionGroup:
    """Boxes under the gaps that suggest them; no heading for the rest."""

    heading: str
    options: list[Option]


@dataclass(frozen=True)
class ReviewFields:
    """Everything the template draws. ``key`` makes a double click or a repeat of the same form harmless."""

    key: str
    groups: list[OptionGroup]
    questions: list[tuple[str, str, str]]
    listing: list[Option]
    snooze: DateParts
    first_day: dt.date
    last_day: dt.date
    replaces: str
    wrong: dict[str, str]


def review_fields(answers: ReviewForm, wrong: Sequence[Wrong], gaps: Sequence[tuple[str, str]] = ()) -> ReviewFields:
    """``gaps`` are the person's own, by code and title, in their order."""
    today = dt.datetime.now(dt.UTC).date()
    said: dict[str, str] = {}
    for field, text in wrong:
        said[field] = f"{said[field]}. {text}" if field in said else text
    return ReviewFields(
        # Refused answers were stored under no key, so the same key can be used again.
        key=answers.key if len(answers.key) >= 8 else secrets.token_urlsafe(18),
        groups=[
            OptionGroup(
                "; ".join(group.titles),
                [Option(a.value, ACTION_LABELS[a], a.value in answers.actions) for a in group.actions],
            )
            for group in grouped(gaps)
        ],
        questions=[(name, label, getattr(answers, name)) for name, label in QUESTIONS.items()],
        listing=[Option(value, label, value == answers.listing_was) for value, label in LISTING.items()],
        snooze=answers.snooze,
        first_day=today + dt.timedelta(days=1),
        last_day=today + dt.timedelta(days=MAX_SNOOZE_DAYS),
        replaces=answers.replaces,
        wrong=said,
    )
