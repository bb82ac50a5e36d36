"""What an outcome is, and within how many days: the outcomes of every trust, and those of a trust's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from features.records.tables import ADMISSION_METHODS, CLOSE_REASONS, TABLES, WARDS
from features.reference import MEDICINES
from features.settings import Days, Section

OUTCOMES = ("admission", "disengagement")
Share = Annotated[float, Field(gt=0, lt=1)]
OutcomeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$", max_length=40)]


class EventRows(Section):
    """Rows of one table that are an event: those with one of the named words in each of the named columns."""

    table: Literal["contacts", "stays", "conditions", "circumstances"]
    where: dict[str, tuple[str, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _words_are_known(self) -> EventRows:
        columns = {column.name: column for column in TABLES[self.table].columns if column.kind in ("code", "text")}
        for name, words in self.where.items():
            if name not in columns:
                raise ValueError(f"{self.table} has no column {name} of words; it has {', '.join(columns)}")
            known = columns[name].values
            if not words or (known and (unknown := sorted(set(words) - set(known)))):
                named = ", ".join(unknown) if words else "nothing"
                raise ValueError(f"{self.table}.{name} is asked for {named}; the records know {', '.join(known)}")
        return self


class MedicineStop(Section):
    """The supply of every named medicine ran out, and none followed for ``days_without`` days."""

    medicines: tuple[str, ...] = Field(min_length=1)
    days_without: Days = 28

    @model_validator(mode="after")
    def _medicines_are_known(self) -> MedicineStop:
        if unknown := sorted(set(self.medicines) - set(MEDICINES)):
            raise ValueError(f"medicines holds {', '.join(unknown)}: docs/records.md names the medicines that are read")
        return self


class OwnOutcome(Section):
    """An outcome of a trust's own: an event in any of ``events``, or the stop of a medicine.

    ``means`` is one sentence for the model card. Events fewer than ``quiet_days`` apart are one episode: somebody who
    had one so lately is in it, and a new one is not predicted for them.
    """

    means: str = Field(min_length=10, max_length=300)
    events: tuple[EventRows, ...] = ()
    stop: MedicineStop | None = None
    quiet_days: Days = 28

    @model_validator(mode="after")
    def _one_kind(self) -> OwnOutcome:
        if bool(self.events) == (self.stop is not None):
            raise ValueError("name either events (rows of the records) or stop (of a medicine), not both")
        return self


class OutcomeSettings(Section):
    horizons: dict[str, tuple[Days, ...]] = Field(default={"admission": (28, 90, 180), "disengagement": (180,)})
    silent_days: Days = 90
    min_unsuccessful_offers: int = Field(default=2, ge=0)
    quarterly_days: Days = 91
    referral_gap_days: int = Field(default=5, ge=0)
    stay_gap_days: int = Field(default=1, ge=0)
    unplanned_methods: tuple[str, ...] = ("emergency", "unknown")
    admission_wards: tuple[str, ...] = ("acute", "older_adult", "picu", "unknown")
    disengaged_reasons: tuple[str, ...] = ("did_not_attend", "refused")
    admission_exits: tuple[str, ...] = ("died", "moved_away", "transferred", "planned_end", "admitted_elsewhere")
    settling_days: int = Field(default=14, ge=0)
    submission_gap_tolerance: Share | None = 0.3
    submission_gap_min_contacts: Days = 200
    own: dict[OutcomeName, OwnOutcome] = Field(default={})

    @property
    def definitions(self) -> dict[str, str]:
        """What each outcome means, in one sentence."""
        return {
            "admission": "first unplanned admission to an acute, older adult or intensive care bed",
            "disengagement": f"nobody seen for {self.silent_days} days of an open referral, with at least "
            f"{self.min_unsuccessful_offers} missed appointments, or closure because the person did not attend or "
            "refused",
            **{name: own.means for name, own in self.own.items()},
        }

    @property
    def longest_horizon(self) -> int:
        return max(max(horizons) for horizons in self.horizons.values())

    @model_validator(mode="after")
    def _values_are_known(self) -> OutcomeSettings:
        for name, allowed in (
            ("unplanned_methods", ADMISSION_METHODS),
            ("admission_wards", WARDS),
            ("disengaged_reasons", CLOSE_REASONS),
            ("admission_exits", CLOSE_REASONS),
        ):
            unknown = sorted(set(getattr(self, name)) - set(allowed))
            if unknown:
                raise ValueError(f"{name} holds {', '.join(unknown)}; the records know {', '.join(allowed)}")
        if taken := sorted(set(self.own) & set(OUTCOMES)):
            raise ValueError(f"own names {', '.join(taken)}, which is defined already: choose another name")
        if unknown := sorted(set(self.horizons) - set(self.definitions)):
            raise ValueError(
                f"horizons names {', '.join(unknown)}; the outcomes are {', '.join(self.definitions)}: define another "
                f"under outcomes.own"
            )
        if idle := sorted(set(self.own) - set(self.horizons)):
            raise ValueError(f"own defines {', '.join(idle)}, and horizons names no prediction window for it")
        if not self.horizons:
            raise ValueError("horizons is empty: name at least one outcome")
        for outcome, horizons in self.horizons.items():
            if not horizons or list(horizons) != sorted(set(horizons)):
                raise ValueError(f"horizons of {outcome} must be rising and distinct, found {list(horizons)}")
        short = [days for days in self.horizons.get("disengagement", ()) if days <= self.silent_days]
        if short:
            raise ValueError(
                f"horizons of disengagement hold {short[0]} days: a new silence cannot begin and reach silent_days "
                f"({self.silent_days}) within them; name more days than that"
            )
        for name, own in self.own.items():
            if own.stop is not None and min(self.horizons[name]) <= own.stop.days_without:
                raise ValueError(
                    f"horizons of {name} hold {min(self.horizons[name])} days: a new stop cannot begin and last "
                    f"days_without ({own.stop.days_without}) within them; name more days than that"
                )
        return self
