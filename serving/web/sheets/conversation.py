"""The conversation sheet of one person: what matters to them, their medicines in plain words, what could be simpler,
how collecting has gone, what to ask, what they need, and who else is involved.

It says what the record holds and, from a table with sources, what is known of a medicine. It never holds a risk, and
where nothing is recorded it says so and asks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from features.reference.medicines.medicine_facts import MedicineFacts, facts_about
from serving.people.schemas import Person, RecordedCircumstance, SupplyEvent
from serving.summaries.schemas import MedicineShown
from serving.summaries.words import dose_of, prescriber_words
from serving.web.charts.year_view import Year, YearMedicine, year_of
from serving.web.sheets.sheet_words import PLAIN, SheetWords
from serving.wording import adjustment_words, day, days, short_day, upper_first

Circumstances = Sequence[RecordedCircumstance]

DUE_AHEAD_DAYS = 28
COLLECTED_DAYS = 90
MANY_DAYS = 4
SCALES = ("gass_total", "gass_clozapine_total", "sedation_score", "movement_score")
ONCE = frozenset(("", "1"))
NEAR_HOME = ("hostel", "rough_sleeping", "temporary")


@dataclass(frozen=True)
class SheetMedicine:
    """One medicine in plain words. ``next_words`` says when supply ends or the next injection is due."""

    name: str
    dose: str
    how: str
    next_words: str
    injection: bool
    facts: MedicineFacts | None
    prescriber: str


@dataclass(frozen=True)
class Conversation:
    """Everything on the sheet, in its order. Lists of sentences; an empty one means that nothing is recorded."""

    matters: list[str]
    medicines: list[SheetMedicine]
    simpler: list[str]
    collecting: list[str]
    due: list[str]
    questions: list[str]
    needs: list[str]
    involved: list[str]


def conversation_of(person: Person, words: SheetWords = PLAIN) -> Conversation:
    """The sheet of a person, in plain or in easy-read words."""
    year = year_of(person.last_year, person.run.as_of) if person.last_year is not None else None
    recorded = person.last_year.circumstances if person.last_year is not None else []
    medicines = _medicines(person, year)
    return Conversation(
        matters=_matters(person, recorded, words),
        medicines=medicines,
        simpler=[] if year is None else _simpler(year, medicines, words),
        collecting=[] if year is None else _collecting(year, recorded, words),
        due=[] if year is None else _due(year),
        questions=_questions(medicines, words),
        needs=_needs(person, recorded, medicines, words),
        involved=_involved(person, recorded, medicines, words),
    )


def _matters(person: Person, recorded: Circumstances, words: SheetWords) -> list[str]:
    """Recorded wishes and side effects with their days; scores of side-effect scales of the last year."""
    found = [words.wish.format(_dated(one)) for one in recorded if one.kind == "wish"]
    found += [words.side_effect.format(_dated(one)) for one in recorded if one.kind == "side_effect"]
    scored = [one for one in (person.last_year.results if person.last_year else []) if one.value is not None]
    for scale in SCALES if words.scale else ():
        mine = [one for one in scored if one.test == scale]
        if mine:
            newest = max(mine, key=lambda one: one.on)
            label = upper_first(newest.label)
            found.append(words.scale.format(label, f"{newest.value:g}", newest.unit, short_day(newest.on)))
    return found


def _medicines(person: Person, year: Year | None) -> list[SheetMedicine]:
    """What is in hand: from the summary of the run, which names prescribers; in an older run, from the year."""
    as_of = person.run.as_of
    if person.summary is not None:
        return [_shown(one, as_of) for one in person.summary.medicines if not one.lapsed]
    newest = {supply.medicine: supply for supply in year.record.supplies} if year is not None else {}
    return [_of_year(one, newest[one.name], as_of) for one in (year.medicines if year else ()) if one.current]


def _shown(one: MedicineShown, as_of: dt.date) -> SheetMedicine:
    injection = one.interval_days is not None
    how, following = _how(one.as_required, injection, one.last_on, one.next_on, as_of)
    return SheetMedicine(
        upper_first(one.name),
        dose_of(one),
        how,
        following,
        injection,
        facts_about(one.name),
        _prescribed(one.prescriber),
    )


def _prescribed(prescriber: str) -> str:
    if not prescriber:
        return "prescriber not recorded"
    return f"prescribed by the {'trust' if prescriber == 'trust' else prescriber_words(prescriber)}"


def _of_year(one: YearMedicine, supply: SupplyEvent, as_of: dt.date) -> SheetMedicine:
    how, following = _how(one.as_required, one.injection, supply.on, one.in_hand[-1][1], as_of)
    dose = "" if supply.mg is None else f"{supply.mg:g} mg" + ("" if one.injection or one.as_required else " a day")
    return SheetMedicine(
        upper_first(one.name), dose or "dose not recorded", how, following, one.injection, facts_about(one.name), ""
    )


def _how(
    as_required: bool, injection: bool, last: dt.date, following: dt.date | None, as_of: dt.date
) -> tuple[str, str]:
    """How a medicine is taken, and when the next supply or injection is due."""
    if as_required:
        return "Taken when needed", f"last supplied {short_day(last)}"
    if injection:
        if following is None:
            return "Long-acting injection", "none recorded as given"
        return "Long-acting injection", f"{'next due' if following >= as_of else 'was due'} {short_day(following)}"
    if following is None:
        return "Taken by mouth", f"last supplied {short_day(last)}"
    return "Taken by mouth", f"supply {'lasts to' if following >= as_of else 'ran out'} {short_day(following)}"


def _simpler(year: Year, medicines: Sequence[SheetMedicine], words: SheetWords) -> list[str]:
    """From the record: how many medicines, and days of collecting. From the table: simpler forms that exist."""
    regular = [one for one in year.medicines if one.current and not one.as_required and not one.injection]
    found = []
    if len(regular) > 1:
        found.append(words.many.format(len(regular)))
    since = year.as_of - dt.timedelta(days=COLLECTED_DAYS)
    collected = {on for one in regular for on in one.supplied if on >= since}
    if len(regular) > 1 and len(collected) > MANY_DAYS:
        found.append(words.many_days.format(len(collected), days(COLLECTED_DAYS)))
    for one in medicines:
        if one.facts is not None and one.facts.simpler:
            often = one.facts.usual_times_a_day
            found.append(
                words.simpler.format(one.name, one.facts.simpler) + ("" if often in ONCE else words.times.format(often))
            )
    if regular and words.not_in_record:
        found.append(words.not_in_record)
    return found


def _collecting(year: Year, recorded: Circumstances, words: SheetWords) -> list[str]:
    """How supply has gone in the last twelve months, by medicine, and what was reported."""
    found = []
    for one in year.medicines:
        if not one.current or one.as_required:
            continue
        name = upper_first(one.name)
        if one.injection:
            late = [words.late.format(gap.outside, short_day(gap.start)) for gap in one.gaps]
            found.append("; ".join([words.given.format(name, short_day(one.supplied[-1])), *late]))
        elif one.gaps:
            gaps = [
                f"{days(gap.outside)} from {short_day(gap.start)}{', not ended' if gap.open else ''}"
                for gap in one.gaps
            ]
            found.append(words.without.format(name, "; ".join(gaps)))
        else:
            found.append(words.steady.format(name))
    found += [
        words.missed.format(_on(one)) for one in recorded if (one.kind, one.value) == ("reported_missed_doses", "yes")
    ]
    return found


def _due(year: Year) -> list[str]:
    """Checks that are due by the schedules, within four weeks or overdue, each day once."""
    ahead = year.as_of + dt.timedelta(days=DUE_AHEAD_DAYS)
    by_day: dict[dt.date, list[str]] = {}
    for due in sorted(year.record.dues, key=lambda one: (one.due_on, one.label)):
        if due.due_on < ahead:
            by_day.setdefault(due.due_on, []).append(due.label)
    return [
        f"{upper_first(', '.join(dict.fromkeys(labels)))}: {'due' if on >= year.as_of else 'was due'} {day(on)}"
        for on, labels in by_day.items()
    ]


def _questions(medicines: Sequence[SheetMedicine], words: SheetWords) -> list[str]:
    """Questions that let the person say it in their own words (teach-back)."""
    about = {one.name.lower() for one in medicines} | {"injection" for one in medicines if one.injection}
    return [*words.questions, *(question for what, question in words.questions_about.items() if what in about)]


def _needs(person: Person, recorded: Circumstances, medicines: Sequence[SheetMedicine], words: SheetWords) -> list[str]:
    """Adjustments on record and what they ask for."""
    found = list(adjustment_words(person.adjustments))
    for one in recorded:
        if one.kind == "housing" and one.value in words.housing:
            found.append(words.housing[one.value].format(_on(one)))
            if one.value in NEAR_HOME and any(medicine.injection for medicine in medicines):
                found.append(words.injection_there)
        elif (one.kind, one.value) == ("living_alone", "yes"):
            found.append(words.alone.format(_on(one)))
        elif one.kind in ("autism", "learning_disability"):
            found.append(getattr(words, one.kind).format(one.value))
    return found


def _involved(
    person: Person, recorded: Circumstances, medicines: Sequence[SheetMedicine], words: SheetWords
) -> list[str]:
    """Who the record names. Who is not named is not there."""
    found = [f"Team: {person.team.name}"]
    by: dict[str, list[str]] = {}
    for medicine in medicines:
        if medicine.prescriber:
            by.setdefault(upper_first(medicine.prescriber), []).append(medicine.name.lower())
    found += [f"{who}: {', '.join(names)}" for who, names in by.items()]
    if person.summary is not None:
        agreed = [f"{one.text} ({short_day(one.on)})" for one in person.summary.about.shared_care]
        found.append(f"Shared care: {'; '.join(agreed)}" if agreed else words.not_recorded.format("Who monitors what"))
    for label, value, on in _helpers(person, recorded):
        if not value:
            found.append(words.not_recorded.format(label))
        elif value.casefold() in ("yes", "no"):
            there = "there is one" if value.casefold() == "yes" else "there is none"
            found.append(f"{label}: recorded that {there}{on}")
        else:
            found.append(f"{label}: {value}{on}")
    if person.next_booked_on is not None:
        found.append(f"Next appointment booked: {day(person.next_booked_on)}")
    return [line for line in found if line]


def _helpers(person: Person, recorded: Circumstances) -> Iterator[tuple[str, str, str]]:
    """Named worker and carer with their days: as the person's page has them, in an older run from the year."""
    if person.summary is not None:
        about = person.summary.about
        for label, fact in (("Named worker", about.worker), ("Carer", about.carer)):
            yield (label, fact.text, f" ({short_day(fact.on)})") if fact is not None else (label, "", "")
        return
    for kind, label in (("care_coordinator", "Named worker"), ("carer", "Carer")):
        one = next((one for one in recorded if one.kind == kind), None)
        yield (label, one.value, _on(one)) if one is not None else (label, "", "")


def _dated(one: RecordedCircumstance) -> str:
    return one.value + _on(one)


def _on(one: RecordedCircumstance) -> str:
    return f" ({short_day(one.on)})" if one.on is not None else ""


def sources(medicines: Iterable[SheetMedicine]) -> list[str]:
    """The sources behind the facts, each once. That they are still to be confirmed is said once, beside them."""
    return list(dict.fromkeys(one.facts.source.removeprefix("unverified; check ") for one in medicines if one.facts))
