"""Models of the request and answer of ``POST /v1/scores``. The row models are made from ``features.records.TABLES``,
so they always match it.

A wrong *value* in a row is not an error of the request: the row is set aside and reported under ``flags.set_aside``,
and the person is scored without it. A wrong *shape* (an unknown column, a table that does not exist, a list where a
number belongs) is a 422.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic needs this class before Python 3.12

from features.records import TABLES
from features.records.reading.ids import clean_id
from features.records.reading.nhs_numbers import NhsKey, checked, is_one
from features.records.tables import Column, TableSpec
from models.explain.what_if import NOTE
from serving.http.types import Day, Strict
from serving.identity.ids import local_id

MAX_PEOPLE = 500
MAX_ROWS = 20_000
MAX_TEXT = 500
"""Longest text of a cell, in characters."""
PatientId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _row_field(column: Column) -> Any:
    description = {
        "date": "a date as YYYY-MM-DD",
        "code": f"one of {', '.join(column.values)}",
        "flag": "true, false or null; a word for one of them is read, any other word sets the value aside",
        "number": "a number, of a result also a bound such as <0.1; text that is no number is set aside",
    }.get(column.kind, "text")
    if column.name == "patient_id":
        return NotRequired[Annotated[Annotated[str, Field(max_length=MAX_TEXT)] | None, Field(description=description)]]
    description += "; a row without it is set aside" if column.required else "; set aside where it cannot be read"
    # "<0.1" among results is one unreadable value, not a reason to refuse everybody in the request.
    kind: Any = Annotated[str, Field(max_length=MAX_TEXT)] | StrictFloat | StrictBool | None
    return NotRequired[Annotated[kind, Field(description=description)]]


def _row(name: str, spec: TableSpec) -> Any:
    """A row is a plain dictionary: one object per row took more memory than the rest of a request together."""
    fields = {c.name: _row_field(c) for c in spec.columns}
    row: Any = TypedDict(f"{name.capitalize()}Row", fields)  # type: ignore[misc]
    row.__doc__ = f"One row of {name}. `patient_id` may be left out; if given, it must be the person's."
    row.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return row


ROWS = {name: _row(name, spec) for name, spec in TABLES.items() if spec.per_patient}

PersonTables: type[BaseModel] = create_model(  # type: ignore[call-overload]
    "PersonTables",
    __base__=Strict,
    __doc__="One person's record, table by table. A table left out is an empty one, and the answer's flags say so.",
    **{
        name: (Annotated[list[row], Field(max_length=MAX_ROWS)], Field(default_factory=list))  # type: ignore[valid-type]
        for name, row in ROWS.items()
    },
)


class PersonIn(Strict):
    """A person by a local pseudonym; or, where the service holds a key for it, by NHS number, which becomes a
    pseudonym at once."""

    patient_id: Annotated[PatientId, AfterValidator(local_id)] | None = Field(
        default=None,
        description="a local pseudonym; never an NHS number. The answer names the person without outer spaces, "
        "invisible signs or full-width digits",
    )
    nhs_number: Annotated[str, Field(max_length=20)] | None = Field(
        default=None,
        description=(
            "instead of patient_id; checked, and turned into the keyed pseudonym that the answer names the person by"
        ),
    )
    tables: PersonTables  # type: ignore[valid-type]

    @property
    def pseudonym(self) -> str:
        """The local pseudonym: given, or made from the NHS number before anything reads it."""
        assert self.patient_id is not None
        return self.patient_id

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one table. A person without a row in ``patients`` gets one with only their id."""
        rows = getattr(self.tables, table)
        return rows or ([{}] if table == "patients" else [])

    @model_validator(mode="after")
    def has_one_name(self) -> PersonIn:
        if (self.patient_id is None) == (self.nhs_number is None):
            raise PydanticCustomError("one_name", "named twice or not at all")
        if self.nhs_number is not None and not is_one(self.nhs_number):
            raise PydanticCustomError("not_an_nhs_number", "not an NHS number")
        return self

    def pseudonymised(self, key: NhsKey) -> PersonIn:
        """The same person without the NHS number, identified by the pseudonym."""
        if self.nhs_number is None:
            return self
        return self.model_copy(update={"patient_id": key.pseudonym(self.nhs_number), "nhs_number": None})

    @model_validator(mode="after")
    def rows_are_of_this_person(self) -> PersonIn:
        for name in ROWS:
            named = {row["patient_id"] for row in getattr(self.tables, name) if "patient_id" in row}
            named -= {None, self.patient_id}
            if any(clean_id(one) != self.patient_id for one in named):
                raise PydanticCustomError("other_person", "a row names another person")
        return self


EXAMPLE: dict[str, Any] = {
    "as_of": "2026-01-05",
    "people": [
        {
            "patient_id": "P1",
            "tables": {
                "patients": [{"birth_date": "1980-05-17"}],
                "referrals": [{"referral_id": "R1", "team_id": "T01", "opened_on": "2024-02-01"}],
                "contacts": [{"contact_id": "C1", "team_id": "T01", "contact_on": "2025-11-03", "outcome": "attended"}],
                "supplies": [
                    {
                        "medicine": "clozapine",
                        "route": "oral",
                        "kind": "dispensed",
                        "supplied_on": "2025-12-01",
                        "days_supplied": 28.0,
                        "daily_dose_mg": 300.0,
                    }
                ],
                "results": [{"test": "anc", "taken_on": "2025-11-03", "value": 3.1, "unit": "10*9/L"}],
            },
        }
    ],
}


class ScoresRequest(Strict):
    """Histories of 1 to 500 people, to be scored at 00:00 of ``as_of`` (today, if left out)."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    as_of: Day | None = Field(
        default=None, description="rows that happened or became known on or after this day are not read"
    )
    people: list[PersonIn] = Field(min_length=1, max_length=MAX_PEOPLE)

    @model_validator(mode="after")
    def nobody_twice(self) -> ScoresRequest:
        if len({person.patient_id or checked(person.nhs_number or "") for person in self.people}) < len(self.people):
            raise PydanticCustomError("repeated_person", "a person is in the request more than once")
        return self


class ModelUsed(BaseModel):
    """The model behind an answer."""

    bundle_id: str
    version: str
    synthetic: bool = Field(description="true: trained on simulated people; not for use on real ones")
    not_promoted: list[str] = Field(
        default_factory=list, description="gates that refused the model; only a demo shows such a model"
    )


class Parts(StrEnum):
    """How finely an answer splits a risk: not at all, by clinical concept, or by feature. Each adds up to the same."""

    NONE = "none"
    CONCEPTS = "concepts"
    FEATURES = "features"


class Contribution(BaseModel):
    """One feature's part of the calibrated logit, or one concept's: then ``name`` is the concept and ``value`` null.
    Of a feature, ``value`` is null where nothing is recorded."""

    name: str
    concept: str
    value: float | None
    contribution: float


class ReasonFeature(BaseModel):
    name: str
    value: float | None
    unit: str | None
    contribution: float
    missing: bool
    date: dt.date | None = Field(
        default=None, description="day of the newest row it was read from; null where no row lies in its window"
    )


class RecordRow(BaseModel):
    """One row of the record behind a reason. ``row`` is its position among the person's rows of that table, by day,
    from 0.
    """

    table: str
    row: int
    on: dt.date | None
    what: str


class SourceAge(BaseModel):
    """How old one source is for this person."""

    source: str
    age_days: int | None = Field(description="days since its latest known row; null where there is none")
    stale: bool = Field(description="the latest row is older than expected for somebody in care")


class RiskReason(BaseModel):
    """One clinical concept's part of the calibrated logit. It raises or lowers the risk in the model; it is not a
    cause."""

    concept: str
    label: str
    direction: str = Field(pattern="^(raises|lowers)$")
    contribution: float
    sentence: str
    features: list[ReasonFeature]
    rows: list[RecordRow] = Field(
        default_factory=list,
        description="the newest rows behind the features of this concept that count most, at most five",
    )
    sources: list[SourceAge] = Field(default_factory=list, description="the sources this concept reads, and their age")


class RiskRange(BaseModel):
    """Where the true risk should lie nine times in ten (``level``). Learned on simulated people: docs/evaluation.md."""

    level: float
    low: float
    high: float
    in_words: str


class Risk(BaseModel):
    """One outcome within one horizon. ``logit(probability) == logit == base + horizon_part + sum of contributions``,
    to 1e-6. ``contributions`` is empty where none were asked for."""

    outcome: str
    horizon_days: int
    probability: float
    range: RiskRange | None = Field(default=None, description="null where the model has no ranges")
    logit: float
    base: float
    horizon_part: float
    contributions: list[Contribution]
    reasons: list[RiskReason]


class GapEvidence(BaseModel):
    model_config = ConfigDict(extra="allow")


class CareGap(BaseModel):
    """A care gap found by a rule, independent of the model."""

    code: str
    severity: str
    safety: bool
    title: str
    due_on: dt.date | None
    days_overdue: float | None
    value: str
    evidence: list[GapEvidence]
    action: str
    standard: str
    source: str
    verified: bool = Field(description="false: the source of this rule has not been checked yet")
    shown: bool = Field(
        default=True, description="critical or high, or due within 14 days: a page shows it without being asked"
    )
    could_not_check: list[str] = Field(default_factory=list, description="what the rule could not check")


class SetAsideRow(BaseModel):
    """A row that was not used. ``row`` is its position, from 0, in the list that was sent for this person."""

    table: str
    row: int
    column: str
    reason: str


class UnreadValueOut(BaseModel):
    """Something recorded that was not understood: never read as no, normal or not recorded."""

    table: str
    column: str
    value: str = Field(description="as written, at most 60 characters")
    concept: str = Field(description="what the row is about: the test, the medicine, the kind of circumstance")
    on: dt.date | None
    known_on: dt.date | None
    reason: str


class OutsideTraining(BaseModel):
    """An input outside the middle 99% of the training rows, where the model has seen few people."""

    name: str
    value: float
    low: float
    high: float


class Flags(BaseModel):
    """What limits this person's scores."""

    history_days: int | None
    short_history: bool = Field(description="less than 90 days are known")
    missing_sources: list[str] = Field(description="tables that usually hold something and hold nothing here")
    sources: list[SourceAge] = Field(default_factory=list)
    outside_training: list[OutsideTraining] = Field(
        default_factory=list, description="inputs that contributed to a score and lie outside the training range"
    )
    unknown_medicines: int | None = Field(
        default=None,
        description="supplies of medicines we do not know, which no score reads; null in runs of older releases",
    )
    set_aside: list[SetAsideRow] = Field(default_factory=list)
    unread: list[UnreadValueOut] = Field(default_factory=list, description="recorded but not understood")


class WhatIfChange(BaseModel):
    """An input before (null if nothing is recorded) and after the what-if."""

    name: str
    unit: str | None
    value: float | None
    changed_to: float


class WhatIfRisk(BaseModel):
    """The estimate with the action done, and its difference from the current estimate."""

    outcome: str
    horizon_days: int
    probability: float
    difference: float


class WhatIfAnswer(BaseModel):
    """One due action that a team can take next, and how the model's estimates would change if it were done.

    This is the model's sensitivity, not the effect of the action. It is listed whether the estimates rise or fall.
    """

    code: str
    label: str = Field(description='finishes "If ..."')
    kind: Literal["model_sensitivity"] = "model_sensitivity"
    note: str = NOTE
    changes: list[WhatIfChange]
    risks: list[WhatIfRisk]

    def risk(self, outcome: str, horizon: int) -> WhatIfRisk:
        return next(r for r in self.risks if (r.outcome, r.horizon_days) == (outcome, horizon))


class PersonScore(BaseModel):
    patient_id: str
    risks: list[Risk]
    what_if: list[WhatIfAnswer] = Field(default_factory=list)
    gaps: list[CareGap]
    flags: Flags


class NotScored(BaseModel):
    """Somebody without a score and gaps, and the reason."""

    patient_id: str
    reason: str = Field(
        description="died; inpatient, or discharge not yet known; a day of death, or their own row, could not be read"
    )


class ScoresAnswer(BaseModel):
    """Scores in the order of the request."""

    as_of: dt.date
    model: ModelUsed
    people: list[PersonScore]
    not_scored: list[NotScored] = Field(description="people of the request who are not scored, each with the reason")


def known_names() -> frozenset[str]:
    """All our field names that an error may repeat."""
    names = {"body", "query", "path", "as_of", "people", "patient_id", "nhs_number", "tables", *ROWS}
    for spec in TABLES.values():
        names |= set(spec.names)
    return frozenset(names)
