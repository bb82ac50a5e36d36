"""The letter to the GP: who prescribes, what is due when, and what was recorded as agreed. It holds what the record
holds and nothing else, never a risk, and is the same as a page, a text and a PDF."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from serving.identities.schemas import Identity
from serving.people.schemas import Person
from serving.reviews.schemas import Review, ReviewAction
from serving.summaries.words import dose_of, form_words, prescriber_words
from serving.wording import day, short_day, upper_first

AHEAD_DAYS = 90
REVIEWS_SHOWN = 3
REVIEWED_WITHIN = dt.timedelta(days=365)
NOT_FOR_A_LETTER = frozenset({ReviewAction.NOT_REACHED})
OLDER_LIST = "This list was made before medicines were kept with it. Write them from the record."


@dataclass(frozen=True)
class LetterPart:
    """A heading and its lines."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Letter:
    """The letter before it is drawn. ``about`` names the person, as the trust gave it, else by their id here."""

    title: str
    about: tuple[str, ...]
    opening: str
    parts: tuple[LetterPart, ...]
    closing: str

    def text(self) -> str:
        """The letter as plain text."""
        found = [self.title, "", *self.about, "", self.opening]
        for part in self.parts:
            found += ["", part.heading, *(f"- {line}" for line in part.lines)]
        return "\n".join([*found, "", self.closing, ""])


def letter_of(person: Person, who: Identity | None, today: dt.date) -> Letter:
    """The letter about a person, out of what the published list holds."""
    as_of = person.run.as_of
    about = [f"About: {who.name}" if who and who.name else f"About: {person.patient_id} (number in Upstream)"]
    if who and who.birth_date:
        about.append(f"Date of birth: {day(who.birth_date)}")
    if who and who.nhs_number:
        about.append(f"NHS number: {who.nhs_spaced}")
    about += [f"From: {person.team.name}", f"Date: {day(today)}"]
    opening = (
        f"This summary holds what the trust's record held before {day(as_of)}. What is not recorded there is not here."
    )
    if person.run.synthetic:
        opening = f"SYNTHETIC: this person is invented. {opening}"
    return Letter(
        "Shared-care summary for the GP",
        tuple(about),
        opening,
        (
            LetterPart("Medicines and who prescribes them", tuple(_medicines(person))),
            LetterPart("Shared care", tuple(_shared_care(person))),
            LetterPart("Allergies", tuple(_facts(person, "allergies", "Not recorded"))),
            LetterPart("Checks and injections that are due", tuple(_due(person))),
            LetterPart("What was recorded as done or agreed", tuple(_agreed(person.reviews, today))),
        ),
        "Please tell us if your record differs.",
    )


def _medicines(person: Person) -> list[str]:
    if person.summary is None:
        return [OLDER_LIST]
    found = []
    for one in person.summary.medicines:
        prescriber = prescriber_words(one.prescriber) if one.prescriber else "not recorded"
        said = f"{upper_first(one.name)}, {dose_of(one)}, {form_words(one.form)}. Prescriber: {prescriber}. "
        said += f"On record since {short_day(one.since)}; last recorded {short_day(one.last_on)}."
        if one.lapsed:
            said += " Supply ran out more than four weeks ago: may have ended."
        found.append(said)
    found += [f"“{one.written}”: recorded, dose not known here." for one in person.summary.not_known]
    return found or ["No medicine is recorded as supplied in the last months."]


def _shared_care(person: Person) -> list[str]:
    agreed = _facts(person, "shared_care", "No shared-care agreement is recorded")
    return [*agreed, "Who monitors each check is not in this record: please confirm what you monitor."]


def _facts(person: Person, name: str, missing: str) -> list[str]:
    facts = getattr(person.summary.about, name) if person.summary is not None else []
    return [f"{upper_first(one.text)} (recorded {short_day(one.on)})" for one in facts] or [missing]


def _due(person: Person) -> list[str]:
    """Each check and injection that is overdue or due within three months, with the day it was last done."""
    as_of = person.run.as_of
    ahead = as_of + dt.timedelta(days=AHEAD_DAYS)
    found = []
    for one in person.summary.medicines if person.summary is not None else []:
        if one.interval_days is not None and one.next_on is not None and one.next_on < ahead and not one.lapsed:
            state = "due" if one.next_on >= as_of else "was due"
            found.append((one.next_on, f"{upper_first(one.name)}: {state} {day(one.next_on)}"))
    for due in person.last_year.dues if person.last_year is not None else []:
        if due.due_on < ahead:
            state = "due" if due.due_on >= as_of else "was due"
            last = f"last recorded {day(due.last_on)}" if due.last_on else "none recorded"
            found.append((due.due_on, f"{upper_first(due.label)}: {state} {day(due.due_on)}; {last}"))
    return [line for _, line in sorted(found)] or ["Nothing scheduled is due within three months by what is recorded."]


def _agreed(reviews: list[Review], today: dt.date) -> list[str]:
    """What the newest reviews of a year recorded, in the words of their boxes."""
    found = []
    for review in reviews:
        on = review.reviewed_at.date()
        said = zip(review.actions, review.action_labels, strict=True)
        done = [label for code, label in said if code not in NOT_FOR_A_LETTER]
        if done and today - on <= REVIEWED_WITHIN:
            found.append(f"{day(on)}: {'; '.join(done)}.")
    return found[:REVIEWS_SHOWN] or ["No medicines review is recorded in Upstream in the last year."]
