"""The definition of a feature: a frozen value in a closed vocabulary, so that an author cannot write a leak.

An author names a stream of events (a table, which rows, which day column) and a verb. Authors cannot choose clocks:
the engine reads a row only when its event day and every clock of the columns that the stream reads lie before
``as_of`` (docs/architecture.md rules 1 and 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from features.records.tables import TABLES
from features.reference import TESTS, high_limit, low_limit, medicines_in
from features.reference.monitoring.thresholds import band

Verb = Literal[
    "count",
    "total",
    "mean",
    "highest",
    "lowest",
    "latest",
    "change",
    "slope",
    "percent_change",
    "distinct",
    "usual_provider",
    "never_recorded",
    "share",
    "days_since_last",
    "days_since_first",
    "count_since",
    "recent_share",
    "fading_count",
    "fading_share",
    "gap_ratio",
    "covered_share",
    "supply_gap_days",
    "supply_left_days",
    "longest_supply_gap",
    "supply_gaps_over",
    "covered_change",
    "depot_days_past_due",
    "depot_late_share",
    "depot_late_band",
    "depot_missed_windows",
    "interval_share",
    "pick_up_spread",
    "in_hand_at_discharge",
    "days_in_spell",
    "spell_length",
    "days_to_next_booking",
    "next_booking_lead",
    "bookings_ahead",
    "last_booking_lead",
    "mean_booking_lead",
    "days_between_bookings",
    "planned_gap",
    "days_past_due",
    "tests_due",
    "tests_overdue",
    "tests_unsure",
    "complete_share",
    "regimen",
    "blood_colour",
]
BOOKING_VERBS: frozenset[Verb] = frozenset(
    (
        "days_to_next_booking",
        "next_booking_lead",
        "bookings_ahead",
        "last_booking_lead",
        "mean_booking_lead",
        "days_between_bookings",
        "planned_gap",
    )
)
"""Verbs about appointments that were made and known before ``as_of``, also for a day from it on. They read a
cancellation where it was known, and no other outcome; ``planned_gap`` reads none, and which contacts took place."""
FADING_VERBS: frozenset[Verb] = frozenset(("fading_count", "fading_share", "planned_gap"))
"""Verbs that count an event less the older it is: half as much every ``number`` days (the half-life), and not at all
after ten half-lives. They have no window."""
Missing = Literal["zero", "unknown"]
"""Meaning of no events: ``zero`` (none happened) or ``unknown`` (not recorded: NaN, never read as normal)."""

LONGEST_HALF_LIFE = 730
EVER = 0
"""Window of a feature that reads the whole history."""

PROTECTED = frozenset(
    ("birth_date", "sex", "ethnicity", "deprivation_decile", "learning_disability", "autism", "died_on")
)
"""Columns that no feature may read: they are used to audit fairness, never to train (docs/architecture.md rule 6)."""
PROTECTED_CIRCUMSTANCES = frozenset(("housing", "language", "interpreter", "accessible_format"))


class SpecError(ValueError):
    """A feature or stream that the vocabulary does not allow. The message says what was written and what to write
    instead.
    """


@dataclass(frozen=True)
class Stream:
    """Rows of one table that count as one kind of event.

    ``where`` keeps rows whose column holds one of the values, ``unless`` leaves rows out. ``on`` is the day column
    that dates the event (the table's event day unless said otherwise, for instance ``discharged_on``). ``given`` keeps
    rows in which those columns hold something. ``outside`` keeps results below the first or at or above the second
    limit; None is no limit on that side.
    """

    table: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unless: tuple[tuple[str, tuple[str, ...]], ...] = ()
    on: str = ""
    given: tuple[str, ...] = ()
    outside: tuple[float | None, float | None] | None = None

    def __post_init__(self) -> None:
        spec = TABLES.get(self.table)
        if spec is None or not spec.event_day:
            raise SpecError(
                f"{self.table} holds no events; choose one of {', '.join(n for n, s in TABLES.items() if s.event_day)}"
            )
        if self.outside is not None and self.table != "results":
            raise SpecError(f"{self.table} has no results to hold against limits")
        for column, values in (*self.where, *self.unless, *((name, ()) for name in self.given)):
            if column not in spec.names:
                raise SpecError(f"{self.table} has no column {column}; it has {', '.join(spec.names)}")
            allowed = spec.column(column).values
            strangers = [value for value in values if allowed and value not in allowed]
            if strangers:
                raise SpecError(f"{self.table}.{column} never holds {', '.join(strangers)}")
        if self.table == "circumstances":
            kept, left_out = set(dict(self.where).get("kind", ())), set(dict(self.unless).get("kind", ()))
            if PROTECTED_CIRCUMSTANCES & kept or not (kept or left_out >= PROTECTED_CIRCUMSTANCES):
                raise SpecError(
                    "housing, language and interpreter need are audited, never trained on (docs/architecture.md rule 6)"
                )
        if self.on and (self.on not in spec.names or spec.column(self.on).kind != "date"):
            raise SpecError(f"{self.table}.{self.on} is not a day column")

    @property
    def day_column(self) -> str:
        return self.on or TABLES[self.table].event_day or ""

    def columns_read(self, value: str = "") -> tuple[str, ...]:
        """Every column that decides whether a row belongs to the stream."""
        read = {
            self.day_column,
            *(column for column, _ in self.where),
            *(column for column, _ in self.unless),
            *self.given,
        }
        return tuple(sorted(read | ({value} if value else set())))


def stream(
    table: str,
    on: str = "",
    unless: Mapping[str, Iterable[str]] | None = None,
    given: tuple[str, ...] = (),
    **where: Iterable[str] | str,
) -> Stream:
    """A Stream written the short way: ``stream("contacts", outcome="attended", mode=("video", "telephone"))``."""
    return Stream(table, _pairs(where), _pairs(unless or {}), on, given)


def supplies_of(*scopes: str, on: str = "", **where: Iterable[str] | str) -> Stream:
    """Supplies of the medicines under clinical scopes such as ``antipsychotic_any`` (features.reference.medicines)."""
    names = tuple(dict.fromkeys(name for scope in scopes for name in medicines_in(scope)))
    if not names:
        raise SpecError(f"no medicine is in scope of {', '.join(scopes)}")
    return Stream("supplies", (("medicine", names), *_pairs(where)), (), on)


def outside(test: str, low: str = "", high: str = "") -> Stream:
    """Results of one test past the limits of ``thresholds.csv``: below row ``low``'s upper end, or from row ``high``'s
    lower end on."""
    below = high_limit(low) if low else None
    above = low_limit(high) if high else None
    for row in filter(None, (low, high)):
        if band(row).test != test:
            raise SpecError(f"thresholds.csv: row {row} is about {band(row).test}, not {test}")
    return Stream("results", (("test", (test,)),), outside=(below, above))


def results_of(test: str) -> Stream:
    """Results of a test, or of a test that satisfies it (a white cell count satisfies the full blood count)."""
    if test not in TESTS:
        raise SpecError(f"{test} is not in features/reference/tests.csv")
    return stream("results", test=satisfying(test))


def satisfying(test: str) -> tuple[str, ...]:
    """The test itself and every test whose result meets its schedule."""
    found = [test]
    for name, other in TESTS.items():
        parent = other.satisfies
        while parent:
            if parent == test:
                found.append(name)
                break
            parent = TESTS[parent].satisfies
    return tuple(found)


def _pairs(where: Mapping[str, Iterable[str] | str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((column, (values,) if isinstance(values, str) else tuple(values)) for column, values in where.items())


@dataclass(frozen=True)
class Feature:
    """One feature. ``window`` is days before ``as_of`` ([as_of - window, as_of)), EVER for the whole history.

    ``direction`` is +1 or -1 if it is medically certain that more of it raises or lowers the risk, else 0. Values are
    clipped to [``low``, ``high``]. ``value`` is the column a verb reads, ``of`` the second stream of a share,
    ``number`` a verb's own parameter, ``test`` and ``scope`` the schedule of a monitoring verb.
    """

    name: str
    concept: str
    verb: Verb
    stream: Stream
    window: int
    missing: Missing
    unit: str
    low: float
    high: float
    direction: int
    why: str
    value: str = ""
    of: Stream | None = None
    number: float = 0.0
    tests: tuple[str, ...] = ()
    scope: str = ""

    def __post_init__(self) -> None:
        if not self.why or not self.why.endswith("."):
            raise SpecError(f"{self.name}: say in one sentence why it belongs, ending in a full stop")
        if not self.unit:
            raise SpecError(f"{self.name}: name the unit of its values")
        if self.direction not in (-1, 0, 1):
            raise SpecError(f"{self.name}: direction is +1, -1 or 0")
        if not self.low < self.high:
            raise SpecError(f"{self.name}: the range {self.low} to {self.high} holds nothing")
        if self.window < 0:
            raise SpecError(f"{self.name}: a window is days before as_of, so it cannot be negative")
        if self.value in PROTECTED:
            raise SpecError(f"{self.name}: {self.value} is audited, never trained on (docs/architecture.md rule 6)")
        if self.stream.day_column == "contact_on" and "planned" in dict(self.stream.where).get("outcome", ()):
            raise SpecError(
                f"{self.name}: a planned contact lies after as_of; features read the past. For appointments made "
                f"before as_of, use {', '.join(sorted(BOOKING_VERBS))}"
            )
        if self.verb in FADING_VERBS and (self.window != EVER or not 1 <= self.number <= LONGEST_HALF_LIFE):
            raise SpecError(
                f"{self.name}: {self.verb} has no window; its number is a half-life of 1 to {LONGEST_HALF_LIFE} days"
            )
        if self.verb in BOOKING_VERBS:
            self._check_bookings()

    def _check_bookings(self) -> None:
        streams = (self.stream, self.of or self.stream)
        one = (self.of is None) == (self.verb != "planned_gap")
        if not one or any((s.table, s.day_column) != ("contacts", "contact_on") for s in streams):
            asked = "one stream" if self.verb != "planned_gap" else "a stream of bookings, and in `of` the contacts,"
            raise SpecError(f"{self.name}: {self.verb} reads {asked} of contacts, dated by contact_on")
        if {"outcome", "outcome_known_on"} & set(self.stream.columns_read()):
            raise SpecError(
                f"{self.name}: {self.verb} leaves out what was cancelled by itself; a stream of bookings reads no "
                "outcome, because the outcome of an appointment ahead is the future"
            )
        if "booked_on" not in self.stream.given:
            raise SpecError(f'{self.name}: {self.verb} needs the day of booking; write given=("booked_on",)')

    @property
    def table(self) -> str:
        return self.stream.table

    def as_dict(self) -> dict[str, object]:
        """The feature as a row of a listing: names as in the class, the window in days or None for the whole
        history."""
        shown = ("name", "concept", "table", "verb", "missing", "unit", "low", "high", "direction", "why")
        return {name: getattr(self, name) for name in shown} | {"window_days": self.window or None}
