"""Walks of the booking verbs: the only features that read the day of an appointment from ``as_of`` on, because the
booking itself was made and known before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.engine.operations import BOOKING_OPS
from features.engine.stream_masks import Membership
from features.kernels import bookings, planned_gaps, window_ops
from features.records import Records
from features.records.table import codes_among
from features.records.tables import TABLES
from features.spec import Feature, Stream

Int = npt.NDArray[np.int64]
_CANCELLED = codes_among(TABLES["contacts"], "outcome", ("cancelled_by_patient", "cancelled_by_service"))


@dataclass(frozen=True)
class BookingPlan:
    """Features of bookings, independent of records: what to compute, from which stream, over which window."""

    streams: Membership
    ops: Int
    stream: Int
    window: Int
    column: Int

    @classmethod
    def of(cls, placed: Sequence[tuple[int, Feature]]) -> BookingPlan:
        features = [feature for _, feature in placed]
        streams = list(dict.fromkeys(feature.stream for feature in features))
        return cls(
            Membership.of(streams),
            np.array([BOOKING_OPS[feature.verb] for feature in features], np.int64),
            np.array([streams.index(feature.stream) for feature in features], np.int64),
            np.array([feature.window for feature in features], np.int64),
            np.array([column for column, _ in placed], np.int64),
        )


def booking_walk(records: Records, plan: BookingPlan) -> Any:
    """The walk that computes every feature of ``plan``."""
    columns = records.columns("contacts")
    cancelled = _CANCELLED[columns["outcome"]]
    bits = plan.streams.bits(records).astype(np.uint64)

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        bookings.bookings_kernel(
            records.offsets("contacts"),
            columns["contact_on"],
            columns["booked_on"],
            columns["known_on"],
            cancelled,
            columns["outcome_known_on"],
            bits,
            person,
            as_of,
            rows,
            plan.ops,
            plan.stream,
            plan.window,
            plan.column,
            values,
        )

    return walk


@dataclass(frozen=True)
class PlannedGaps:
    """Features of the gaps planned at one kind of contact for one kind of appointment, independent of records."""

    streams: Membership
    """The bookings and the contacts at which they count."""
    weights: npt.NDArray[np.float64]
    half_life: Int
    column: Int

    @classmethod
    def of(cls, placed: Sequence[tuple[int, Feature]]) -> PlannedGaps:
        first = placed[0][1]
        half_lives = sorted({int(feature.number) for _, feature in placed})
        return cls(
            Membership.of([first.stream, first.of or first.stream]),
            window_ops.fading_weights(half_lives),
            np.array([half_lives.index(int(feature.number)) for _, feature in placed], np.int64),
            np.array([column for column, _ in placed], np.int64),
        )


def planned_gap_walk(records: Records, plan: PlannedGaps) -> Any:
    """The walk that computes every feature of ``plan``."""
    columns = records.columns("contacts")
    bits = plan.streams.bits(records)
    offsets, made, known, log_days = planned_gaps.gaps_planned(
        records.offsets("contacts"),
        columns["contact_on"],
        columns["booked_on"],
        columns["known_on"],
        columns["outcome_known_on"],
        (bits & np.uint64(1)) != 0,
        (bits & np.uint64(2)) != 0,
    )

    def walk(person: Int, as_of: npt.NDArray[np.int32], rows: Int, values: npt.NDArray[np.float32]) -> None:
        planned_gaps.planned_gaps_kernel(
            offsets, made, known, log_days, person, as_of, rows, plan.weights, plan.half_life, plan.column, values
        )

    return walk


def made_on(stream: Stream) -> Stream:
    """The same bookings dated by the day they were made, to name the rows behind a feature."""
    return replace(stream, on="booked_on")
