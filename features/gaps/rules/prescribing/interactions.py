"""Care gaps of interacting medicines: pairs that began recently, and pairs that matter as long as both are taken."""

from __future__ import annotations

from collections.abc import Iterator

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import YEAR, PersonAsKnown, meant
from features.kernels.regimen import NEW_PAIR_DAYS
from features.medicines.courses import Course, by_base, first_of_each
from features.reference import INTERACTIONS, MEDICINES, Interaction, pairs

_PLACE = {name: place for place, name in enumerate(MEDICINES)}
_PAIRS = pairs().tolist()
IMPORTANT = ("high", "contraindicated")
_NEW: dict[str, Severity] = {"contraindicated": "critical", "high": "high", "moderate": "low", "low": "low"}
QT_GROUP = "qt prolonging medicine"
_STOMACH = "proton pump inhibitor"
_DECIDE = "Decide with the prescriber today: one of the two has to stop or change."
_REVIEW = "Review with the prescriber whether both are needed, and what is monitored; record the plan."


def all_pairs(person: PersonAsKnown) -> Iterator[tuple[Course, Course, Interaction]]:
    """Current pairs that the interaction table holds, each once."""
    held = first_of_each(person.current)
    for position, second in enumerate(held):
        row = _PAIRS[_PLACE[second.medicine.name]]
        for first in held[:position]:
            place = row[_PLACE[first.medicine.name]]
            if place >= 0:
                yield first, second, INTERACTIONS[place]


LONGEST_WASHOUT_DAYS = max(row.washout_days for row in INTERACTIONS)


def _between(first: Course, second: Course) -> int:
    """Days from the end of the supply of the medicine that began earlier to the start of the other; 0 or less where
    both were in hand."""
    earlier, later = sorted((first, second), key=lambda course: course.start)
    return later.start - earlier.end


def apart(first: Course, second: Course, row: Interaction) -> bool:
    """Whether one medicine ended so long before the other began that the washout of the table was kept."""
    return 0 < row.washout_days <= _between(first, second)


def _too_soon(person: PersonAsKnown) -> Iterator[tuple[Course, Course, Interaction]]:
    """A medicine that is over, and one that began lately before the washout of the table had passed."""
    t = person.as_of
    lately = [c for c in first_of_each(person.current) if t - c.start <= NEW_PAIR_DAYS]
    held = {c.medicine.name for c in person.courses if c.current(t)} if lately else set()
    for first in first_of_each(person.courses) if lately else ():
        if first.medicine.name in held or t - first.end > NEW_PAIR_DAYS + LONGEST_WASHOUT_DAYS:
            continue
        for second in lately:
            place = _PAIRS[_PLACE[first.medicine.name]][_PLACE[second.medicine.name]]
            if place >= 0 and 0 <= second.start - first.end < INTERACTIONS[place].washout_days:
                yield first, second, INTERACTIONS[place]


def important_pairs(person: PersonAsKnown) -> list[tuple[Course, Course, Interaction]]:
    """Current pairs rated high or contraindicated: the ``interactions`` of the regimen, by name."""
    return [pair for pair in all_pairs(person) if pair[2].severity in IMPORTANT]


def _words(first: Course, second: Course, row: Interaction) -> str:
    later = max(first, second, key=lambda course: course.start)
    action = row.action.replace("_", " ")
    if row.washout_days and _between(first, second) > 0:
        earlier = first if later is second else second
        return (
            f"{earlier.medicine.name} (supply ended on {iso(earlier.end)}), then {later.medicine.name} since"
            f" {iso(later.start)}: {row.washout_days} days without either are asked for; {row.effect}; {action}"
        )
    return f"{first.medicine.name} with {second.medicine.name} since {iso(later.start)}: {row.effect}; {action}"


def _began(first: Course, second: Course) -> tuple[Evidence, ...]:
    return tuple(Evidence("supplies", c.first_row, c.start, f"{c.medicine.name} started") for c in (first, second))


def _protected(person: PersonAsKnown, row: Interaction) -> str:
    """The recorded protection against the harm of a pair, or empty."""
    if row.mechanism == "bleeding" and person.on(meant(_STOMACH)):
        return "stomach protection supplied"
    return ""


def new_interaction(person: PersonAsKnown, with_ended: bool = True) -> Iterator[Gap]:
    """INTERACTION_NEW: a pair that has been current together for 30 days or less.

    [D]: contraindicated is critical, high is high (medium where stomach protection meets a risk of bleeding), and
    moderate or low is low and no safety alarm. The value names both medicines, the effect and the table's action.
    Where the table asks for days between two medicines, these days decide, not whether both are current; with
    ``with_ended`` also a medicine that is over counts.
    """
    if not person.current:
        return
    found = []
    for first, second, row in (*all_pairs(person), *(_too_soon(person) if with_ended else ())):
        if person.as_of - max(first.start, second.start) > NEW_PAIR_DAYS or apart(first, second, row):
            continue
        severity, protected = _NEW[row.severity], _protected(person, row)
        said = _words(first, second, row)
        if protected:
            severity, said = "medium" if severity == "high" else severity, f"{said}; {protected}"
        found.append(
            Finding(
                severity,
                said,
                (citations.interaction(row.id),),
                _began(first, second),
                action=_DECIDE if row.severity == "contraindicated" else "",
                alarm=row.severity in IMPORTANT,
            )
        )
    if found:
        yield from gap_of(CODES["INTERACTION_NEW"], found)


def unwatched_qt(person: PersonAsKnown) -> bool:
    """Whether no ECG is recorded in the last year, or none since the medicines that lengthen the QT interval came
    together more than 30 days ago: BP_PULSE_QTC then covers the pair.
    """
    ecg, t = person.last_met("ecg_qtc"), person.as_of
    if ecg is None or t - ecg.day > YEAR:
        return True
    held = by_base(person.on(meant(QT_GROUP))).values()
    together = max((min(c.start for c in courses) for courses in held), default=t)
    return ecg.day < together and t - together > NEW_PAIR_DAYS


def standing(person: PersonAsKnown) -> Iterator[Gap]:
    """INTERACTION_STANDING: a pair rated high or contraindicated, current together for more than 30 days, that the
    table does not mark as a risk of the start alone.

    [D]: contraindicated is critical until a review was attended since both are taken, then high; one rated high is
    high where the table says to avoid it, else medium (low with stomach protection). A pair that lengthens the QT
    interval is medium with an ECG in the last year and since both are taken; without one BP_PULSE_QTC covers it, or
    this gap is high where only one of the two is in the table's list of medicines that lengthen it.
    """
    if not person.regimen("interactions") > 0:
        return
    found = []
    for first, second, row in important_pairs(person):
        together = max(first.start, second.start)
        if person.as_of - together <= NEW_PAIR_DAYS or not row.stands or apart(first, second, row):
            continue
        said, contraindicated = _words(first, second, row), row.severity == "contraindicated"
        severity: Severity = "medium"
        if row.lengthens_qt:
            unwatched = unwatched_qt(person)
            if unwatched and person.regimen("qt_medicines") >= 2:
                continue
            ecg = person.last_met("ecg_qtc")
            said += f"; ECG last recorded {iso(ecg.day)}" if ecg else f"; ECG {person.absent_test('ecg_qtc')}"
            severity = "high" if unwatched else severity
        elif contraindicated:
            reviewed = person.reviewed_since(together)
            severity = "high" if reviewed else "critical"
            said += "; reviewed since" if reviewed else "; no review recorded since"
        elif row.to_be_avoided:
            severity = "high"
        elif protected := _protected(person, row):
            severity, said = "low", f"{said}; {protected}"
        label = "contraindicated: " if contraindicated else ""
        found.append(
            Finding(
                severity,
                label + said,
                (citations.interaction(row.id),),
                _began(first, second),
                action=_DECIDE if contraindicated and not row.lengthens_qt else _REVIEW,
                title="Contraindicated medicines taken together" if contraindicated else "",
                alarm=contraindicated,
            )
        )
    if found:
        yield from gap_of(CODES["INTERACTION_STANDING"], found)


RULES = (new_interaction, standing)
