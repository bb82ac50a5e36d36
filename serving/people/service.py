"""What is shown about one person. The page and the JSON both call ``show_person``."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from features.medicines.supply_days import assumption
from features.reference import TESTS
from serving.auditing.repository import open_grant
from serving.auditing.schemas import Emergency
from serving.auditlog.log import Audit, Look
from serving.gap_statuses.service import statuses_of
from serving.http.problems import not_found
from serving.identity.callers import Caller
from serving.people import repository
from serving.people.schemas import (
    CheckDue,
    ContactEvent,
    GapOfPerson,
    LastYear,
    Person,
    PersonTeam,
    RecordedCircumstance,
    ResultEvent,
    StayEvent,
    SupplyEvent,
    TrendPoint,
)
from serving.reviews.repository import history
from serving.reviews.service import as_review
from serving.runs.repository import current_run, unpack, unpack_days
from serving.runs.schemas import RunInfo
from serving.scoring.evidence import iso_day, with_what_is_behind
from serving.scoring.schemas import Contribution, Flags, Risk, RiskRange, RiskReason, WhatIfAnswer
from serving.scoring.service import plain_range
from serving.storage.database import Database
from serving.summaries.schemas import summary_of_row
from serving.work.service import NOBODY, work_of
from serving.worklists.schemas import Adjustment


def show_person(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    demo: Mapping[str, Sequence[str]] = NOBODY,
    shown_as: str = "",
) -> Person:
    """Everything current about a person. 404 for one who does not exist and for one of another team alike; both are
    audited. ``demo`` holds the pharmacists of a demo by team; ``shown_as`` says for the log which sheet it is for."""
    found = find_person(database, caller, audit, patient_id, demo, shown_as)
    if found is None:
        audit.record(Look("person.not_visible", patient_ids=(patient_id,)))
        raise not_found()
    return found


def find_person(
    database: Database,
    caller: Caller,
    audit: Audit,
    patient_id: str,
    demo: Mapping[str, Sequence[str]] = NOBODY,
    shown_as: str = "",
) -> Person | None:
    """``show_person``, and None where the caller may not see the person: the caller of this says so in the log."""
    with database.read(caller) as connection:
        run = current_run(connection)
        row = repository.person(connection, caller, patient_id) if run is not None else None
        if run is not None and row is not None:
            kept = repository.timeline(connection, caller, patient_id)
            versions = history(connection, caller, patient_id)
            reviews = [row for row in versions if row.replaced_by is None and not row.undone]
            summary = repository.summary(connection, caller, patient_id)
            found = Person(
                patient_id=patient_id,
                team=PersonTeam(
                    team_id=row.team_id, name=row.team_name, middle=RunInfo.of(run).middles.get(row.team_id, {})
                ),
                run=RunInfo.of(run),
                last_seen_on=row.last_seen_on,
                next_booked_on=row.next_booked_on,
                flags=Flags(**row.flags),
                adjustments=[Adjustment(kind=k, value=v) for k, v in kept.adjustments] if kept else [],
                summary=summary_of_row(summary, run.as_of) if summary is not None else None,
                last_year=last_year(kept.events, run.as_of) if kept else None,
                gaps=_gaps(connection, caller, patient_id, reviews),
                what_if=[WhatIfAnswer.model_validate(stored) for stored in row.what_if or []],
                risks=[_risk(score, run, row) for score in repository.risks(connection, caller, patient_id)],
                trend=[TrendPoint(**point._mapping) for point in repository.trend(connection, caller, patient_id)],
                work=work_of(connection, caller, patient_id, row.team_id, demo.get(row.team_id, ())),
                emergency=_emergency(connection, caller, row.team_id, patient_id),
                reviews=[as_review(review) for review in reviews],
                review_versions=[as_review(version) for version in versions],
            )
    if run is None or row is None:
        return None
    audit.record(
        Look(
            "person.seen",
            patient_ids=(patient_id,),
            team_id=row.team_id,
            run_id=run.run_id,
            bundle_id=run.bundle_id,
            detail={
                **({"emergency": True} if caller.is_beyond(row.team_id) else {}),
                **({"as": shown_as} if shown_as else {}),
            },
        )
    )
    return found


def _gaps(connection: Connection, caller: Caller, patient_id: str, reviews: Sequence[Row[Any]]) -> list[GapOfPerson]:
    """The person's gaps, each with its status."""
    found = [GapOfPerson.model_validate(gap) for gap in repository.care_gaps(connection, caller, patient_id)]
    today = dt.datetime.now(dt.UTC).date()
    statuses = statuses_of(connection, caller, [patient_id], {patient_id: reviews}, today)
    return [gap.model_copy(update={"status": statuses.get((patient_id, gap.code))}) for gap in found]


def _emergency(connection: Connection, caller: Caller, team_id: str, patient_id: str) -> Emergency | None:
    if not caller.is_beyond(team_id):
        return None
    grant = open_grant(connection, caller, patient_id, dt.datetime.now(dt.UTC))
    return None if grant is None else Emergency(**grant._mapping)


def last_year(events: Mapping[str, list[list[Any]]], as_of: dt.date) -> LastYear:
    """The stored events (``serving.nightly.rows.timeline``) with dates and names in place of offsets and codes."""

    def on(offset: int) -> dt.date:
        return as_of + dt.timedelta(days=offset)

    def maybe(offset: int | None) -> dt.date | None:
        return None if offset is None else on(offset)

    return LastYear(
        supplies=[
            SupplyEvent(
                on=on(day),
                medicine=medicine,
                kind=kind,
                injection=bool(injection),
                covers_from=on(start),
                covers_to=on(end),
                mg=mg,
                as_required=bool(as_required),
                days_assumed=assumption(bool(injection), days_assumed) if days_assumed else "",
            )
            # a list of an older release holds no days assumed
            for day, medicine, kind, injection, start, end, mg, as_required, days_assumed in (
                (*one, 0)[:9] for one in events["supplies"]
            )
        ],
        results=[
            ResultEvent(
                on=on(day),
                test=test,
                label=TESTS[test].label,
                value=value,
                unit=TESTS[test].unit,
                comparator="".join(filter(None, sign)),
            )
            # a list of an older release holds no comparator
            for day, test, value, *sign in events["results"]
        ],
        dues=[
            CheckDue(test=test, label=TESTS[test].label, due_on=on(due), last_on=maybe(last), grace_days=grace)
            for test, due, last, grace in events["dues"]
        ],
        contacts=[
            ContactEvent(on=on(day), kind=kind, mode=mode, outcome=outcome)
            for day, kind, mode, outcome in events["contacts"]
        ],
        stays=[
            StayEvent(admitted_on=on(start), discharged_on=maybe(end), ward=ward, method=method)
            for start, end, ward, method in events["stays"]
        ],
        # a list of an older release holds none
        circumstances=[
            RecordedCircumstance(kind=kind, value=value, on=maybe(day))
            for kind, value, day in events.get("circumstances", [])
        ],
    )


def _risk(score: Row[Any], run: Row[Any], person: Row[Any]) -> Risk:
    parts = unpack(score.contributions)
    values = [None if math.isnan(value) else value for value in unpack(person.feature_values)]
    days = {
        feature["name"]: iso_day(day)
        for feature, day in zip(run.features, unpack_days(person.feature_days), strict=False)
    }
    behind = person.behind or {}
    return Risk(
        outcome=score.outcome,
        horizon_days=score.horizon_days,
        probability=score.probability,
        range=None if score.low is None else RiskRange.model_validate(plain_range((score.low, score.high))),
        logit=score.base + score.horizon_part + sum(parts),
        base=score.base,
        horizon_part=score.horizon_part,
        contributions=[
            Contribution(name=feature["name"], concept=feature["concept"], value=value, contribution=part)
            for feature, value, part in zip(run.features, values, parts, strict=True)
        ],
        reasons=[
            RiskReason.model_validate(
                with_what_is_behind(
                    {**reason, "features": _features(reason["concept"], run.features, values, parts)},
                    behind.get(reason["concept"], {}),
                    days,
                )
            )
            for reason in score.reasons
        ],
    )


def _features(
    concept: str, features: list[dict[str, Any]], values: list[float | None], parts: list[float]
) -> list[dict[str, Any]]:
    """The features of a reason, largest part first, as ``models.explain.reasons`` lists them."""
    inside = [
        {"name": f["name"], "value": value, "unit": f["unit"], "contribution": part, "missing": value is None}
        for f, value, part in zip(features, values, parts, strict=True)
        if f["concept"] == concept and part != 0.0
    ]
    return sorted(inside, key=lambda feature: (-abs(feature["contribution"]), feature["name"]))
