"""The scoring function: from records, a date and people to risks with their parts, reasons, gaps and flags.

Both the route and the nightly run call ``score_people``, so they cannot disagree. It reads no database,
no clock and no request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, islice, repeat
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from pydantic_core import to_json

from features import CATALOGUE, Feature, Records
from features.engine.build import build_values
from features.engine.caseload import REASONS, out_of_reach
from features.engine.matrix import SpineError, check_rows
from features.gaps import Gap as FoundGap
from features.gaps import people_with_gaps
from features.gaps.person_view import PersonAsKnown
from features.records import date_of, day_of
from features.records.reading.nhs_numbers import NhsKey
from models import RiskModel, Scores
from models import WhatIf as ModelWhatIf
from models.explain.reasons import FeatureText
from models.ranges import LEVEL
from serving.auditlog.log import Audit, Look
from serving.http.problems import Problem, unavailable
from serving.scoring.evidence import Behind, iso_day
from serving.scoring.json_pieces import (
    Contributions,
    ReasonFeatures,
    Reasons,
    contributions,
    reason_features,
    with_list,
)
from serving.scoring.record_coverage import SHORT_HISTORY_DAYS, History
from serving.scoring.request_records import records_of, set_aside
from serving.scoring.schemas import (
    ModelUsed,
    Parts,
    PersonIn,
    ScoresRequest,
    SetAsideRow,
)
from serving.wording import between_in_100

TOP_REASONS = 5


@dataclass(frozen=True)
class ScoredPeople:
    """People scored on one date. ``people[i]`` is row ``i`` of ``scores``; ``place[i]`` its position in the records."""

    model: RiskModel
    as_of: dt.date
    people: tuple[str, ...]
    place: np.ndarray
    scores: Scores
    history: History
    gaps: Mapping[str, list[dict[str, Any]]]
    behind: Behind
    what_ifs: list[list[ModelWhatIf]]
    unread: list[list[dict[str, Any]]]

    @cached_property
    def ranked_concepts(self) -> list[dict[tuple[str, int], list[tuple[int, float, bool, bool]]]]:
        """For each row the largest reasons of each outcome and horizon, before they are worded
        (``Reasoner.reason``)."""
        return self.model.ranked_concepts(self.scores, TOP_REASONS)

    @cached_property
    def _outside_training(self) -> list[list[dict[str, Any]]]:
        return self.model.outside_training_of_rows(self.scores, slice(None))

    def flags(self, row: int) -> dict[str, Any]:
        """Limits of this person's scores: length of the record, age of each source, and inputs that the model hardly
        knows.
        """
        person, today = int(self.place[row]), day_of(self.as_of)
        days = self.history.days(person, today)
        return {
            "history_days": days,
            "short_history": days is None or days < SHORT_HISTORY_DAYS,
            "missing_sources": [name for name, none in self.history.missing.items() if none[person]],
            "sources": self.history.sources(person, today),
            "outside_training": self._outside_training[row],
            "unread": self.unread[row],
        }

    def last_seen(self, row: int) -> dt.date | None:
        return date_of(int(self.history.last_seen[self.place[row]]))

    def next_booked(self, row: int) -> dt.date | None:
        return date_of(int(self.history.next_booked[self.place[row]]))


def score_people(
    model: RiskModel,
    records: Records,
    as_of: dt.date,
    people: Sequence[str],
    *,
    threads: int = 1,
    each: Callable[[PersonAsKnown], None] | None = None,
) -> ScoredPeople:
    """Scores ``people`` (ids in ``records``) at 00:00 of ``as_of``: every outcome and horizon, with contributions and
    gaps. ``each`` is called with every person as the gaps know them, in the order of ``people``.
    """
    ids, today = tuple(people), day_of(as_of)
    records = records.as_known(today)
    place, days = records.positions(ids), np.full(len(ids), today, np.int32)
    check_rows(records, place, days)
    values = build_values(records, place, days, _features_of(model.feature_names), threads=threads)
    scores = model.score(values, contributions=True, names=model.feature_names, threads=threads)
    unread = frozenset(records.unread.patient.tolist())
    return ScoredPeople(
        model=model,
        as_of=as_of,
        people=ids,
        place=place,
        scores=scores,
        history=History(records, today),
        gaps=_gaps_by_person(records, as_of, ids, place, each),
        behind=Behind(records, today, place, scores, model.feature_names),
        what_ifs=model.what_ifs(scores, threads),
        unread=[_unread(records, person, today) if person in unread else [] for person in place.tolist()],
    )


def _unread(records: Records, place: int, as_of_day: int) -> list[dict[str, Any]]:
    """A person's records that were not understood, as plain values."""
    found = [one.as_dict() for one in records.unread.of_person(place, as_of_day)]
    return [
        {**one, **{day: None if one[day] is None else one[day].isoformat() for day in ("on", "known_on")}}
        for one in found
    ]


@cache
def _features_of(names: tuple[str, ...]) -> tuple[Feature, ...]:
    return tuple(CATALOGUE[name] for name in names)


@dataclass(frozen=True)
class Answered:
    """A finished answer: a ``ScoresAnswer`` as JSON, its bundle and its number of people."""

    bundle_id: str
    people: int
    body: bytes


def without_nhs_numbers(body: ScoresRequest, key: NhsKey | None) -> ScoresRequest:
    """Replaces NHS numbers by pseudonyms before anything else reads the request. 422 if it has some and there is no
    key.
    """
    if all(person.nhs_number is None for person in body.people):
        return body
    if key is None:
        raise Problem(
            422,
            "no-nhs-key",
            "This service holds no key for NHS numbers (UPSTREAM_NHS_KEY_FILE). Send local pseudonyms.",
        )
    return body.model_copy(update={"people": [person.pseudonymised(key) for person in body.people]})


def look_of(bundle_id: str, people: Sequence[str], as_of: str) -> Look:
    """What the audit log says of one request."""
    return Look("scores.requested", patient_ids=tuple(people), bundle_id=bundle_id, detail={"as_of": as_of})


def score_request(
    model: RiskModel | None, request: ScoresRequest, today: dt.date, audit: Audit, parts: Parts = Parts.FEATURES
) -> Answered:
    """Answers ``POST /v1/scores``. It stores only the audit event, which is on disk before the answer is returned.

    The answer is built from plain values and pieces of JSON, because an object for each of the thousands of
    contributions took longer than scoring. A test checks it against ``ScoresAnswer``.
    """
    if model is None:
        raise unavailable("no-model", "No verified model is loaded; see /readyz.", 30)
    as_of = request.as_of or today
    look = look_of(model.manifest.bundle_id, [p.pseudonym for p in request.people], as_of.isoformat())
    with audit.recording(look):
        return answer_of(model, request, as_of, today, parts)


def answer_of(
    model: RiskModel, request: ScoresRequest, as_of: dt.date, today: dt.date, parts: Parts = Parts.FEATURES
) -> Answered:
    """The same without an audit event, for answers that nobody sees."""
    answer, people, number = scored_parts(model, request, as_of, today, parts)
    return Answered(model.manifest.bundle_id, number, b"".join(with_list(answer, "people", people)))


def scored_parts(
    model: RiskModel, request: ScoresRequest, as_of: dt.date, today: dt.date, parts: Parts
) -> tuple[dict[str, Any], Iterator[Iterator[bytes]], int]:
    """An answer without its people, the people as pieces of JSON, and how many they are."""
    records, positions = records_of(request.people, today)
    aside = set_aside(records, positions)
    why = not_scored(records, request.people, as_of)
    try:
        scored = score_people(model, records, as_of, [p.pseudonym for p in request.people if p.pseudonym not in why])
    except SpineError:
        raise Problem(
            422, "as-of-in-the-future", "as_of lies in the future; ask for today or an earlier day."
        ) from None
    answer = {
        "as_of": as_of,
        "model": model_used(model).model_dump(),
        "not_scored": [{"patient_id": patient, "reason": reason} for patient, reason in why.items()],
    }
    written = Written.of(model, parts)
    found = (_person(scored, row, written, aside.get(patient, [])) for row, patient in enumerate(scored.people))
    return answer, found, len(scored.people)


class Written:
    """How one model's answers write the parts of a risk."""

    def __init__(self, model: RiskModel, parts: Parts) -> None:
        self.parts = parts
        concepts = list(dict.fromkeys(feature.concept for feature in model.features))
        self._place = np.array([concepts.index(feature.concept) for feature in model.features])
        shown = [FeatureText(concept, concept) for concept in concepts]
        self._words = Contributions(shown if parts is Parts.CONCEPTS else model.features)
        self.reason_words, self.reason_features = Reasons(model.reasoner), ReasonFeatures(model.features)
        self._nothing = np.full(len(concepts), np.nan)

    @classmethod
    def of(cls, model: RiskModel, parts: Parts) -> Written:
        """Made once for a model, and kept as long as it lives."""
        made = _WRITTEN.setdefault(model, {})
        return made.get(parts) or made.setdefault(parts, cls(model, parts))

    def heads(self, values: np.ndarray) -> list[bytes]:
        """What is the same for every risk of a person whose features have these values."""
        return self._words.heads(self._nothing if self.parts is Parts.CONCEPTS else values)

    def parts_of(self, heads: list[bytes], parts: np.ndarray) -> bytes:
        """The contributions of one risk, separated by commas."""
        if self.parts is Parts.NONE:
            return b""
        if self.parts is Parts.CONCEPTS:
            parts = np.bincount(self._place, parts, len(self._nothing))
        return contributions(heads, parts.tolist())


_WRITTEN: WeakKeyDictionary[RiskModel, dict[Parts, Written]] = WeakKeyDictionary()


UNREADABLE = "their own row could not be read"


def not_scored(records: Records, people: Sequence[PersonIn], as_of: dt.date) -> dict[str, str]:
    """Why each person without a score has none: the caseload's rule, without the parts that only a team's list
    needs.
    """
    places = records.positions([person.pseudonym for person in people])
    reasons = out_of_reach(records, day_of(as_of))
    found = {}
    for person, place in zip(people, places.tolist(), strict=True):
        if place < 0:
            found[person.pseudonym] = UNREADABLE
        elif reasons[place]:
            found[person.pseudonym] = REASONS[reasons[place]]
    return found


def model_used(model: RiskModel) -> ModelUsed:
    manifest = model.manifest
    return ModelUsed(
        bundle_id=manifest.bundle_id,
        version=manifest.model_version,
        synthetic=manifest.synthetic,
        not_promoted=list(manifest.not_promoted),
    )


def _person(scored: ScoredPeople, row: int, written: Written, aside: list[SetAsideRow]) -> Iterator[bytes]:
    """A ``PersonScore`` as pieces of JSON."""
    patient = scored.people[row]
    unknown = sum((found.table, found.column) == ("supplies", "medicine") for found in aside)
    rest = {
        "patient_id": patient,
        "what_if": [{"kind": "model_sensitivity", **plain_what_if(found)} for found in scored.what_ifs[row]],
        "gaps": scored.gaps.get(patient, []),
        "flags": scored.flags(row)
        | {"unknown_medicines": unknown, "set_aside": [found.model_dump() for found in aside]},
    }
    return with_list(rest, "risks", _risks(scored, row, written))


def _risks(scored: ScoredPeople, row: int, written: Written) -> Iterator[tuple[bytes, ...]]:
    """A ``Risk`` for every outcome and horizon, as pieces of JSON."""
    heads = written.heads(scored.scores.inputs[row])
    reasons = _reasons(scored, row, written)
    for outcome, horizons in scored.model.outcomes.items():
        found = scored.scores[outcome]
        assert found.contributions is not None and found.horizon_part is not None
        for column, horizon in enumerate(horizons):
            parts = found.contributions[row, column]
            base, horizon_part = float(found.base[column]), float(found.horizon_part[row, column])
            risk = {
                "outcome": outcome,
                "horizon_days": horizon,
                "probability": float(found.probability[row, column]),
                "range": plain_range(found.range_at(row, column)),
                "logit": base + horizon_part + sum(parts.tolist()),
                "base": base,
                "horizon_part": horizon_part,
            }
            why = b",".join(reasons[outcome, horizon])
            yield (
                to_json(risk)[:-1],
                b',"reasons":[%s],"contributions":[' % why,
                written.parts_of(heads, parts),
                b"]}",
            )


def _reasons(scored: ScoredPeople, row: int, written: Written) -> dict[tuple[str, int], list[bytes]]:
    """The ``RiskReason`` of every outcome and horizon as JSON."""
    found = scored.ranked_concepts[row]
    every = [one for ranked in found.values() for one in ranked]
    words = written.reason_words
    slugs = [words.slug(*one) for one in every]
    shown = list(dict.fromkeys(slugs))
    texts = scored.behind.texts([row] * len(shown), shown)
    ends = {concept: b"," + behind[1:] for concept, behind in zip(shown, texts, strict=True)}
    features = _reason_features(scored, row, written, found)
    whole = map(bytes.__add__, words.texts(every, features), map(ends.__getitem__, slugs))
    return {score: list(islice(whole, len(ranked))) for score, ranked in found.items()}


def _reason_features(
    scored: ScoredPeople, row: int, written: Written, found: Mapping[tuple[str, int], Sequence[tuple[Any, ...]]]
) -> Iterable[bytes]:
    """The ``ReasonFeature`` list of each of some reasons as JSON; empty lists where no parts were asked for."""
    if written.parts is Parts.NONE:
        return repeat(b"[]")
    lists: list[tuple[list[int], list[float]]] = []
    for outcome, scores in scored.scores.items():
        assert scores.contributions is not None
        for horizon, one in zip(scores.horizons, scores.contributions[row], strict=True):
            parts, concepts = one.tolist(), [ranked[0] for ranked in found[outcome, horizon]]
            lists += [(places, parts) for places in scored.model.largest_parts(concepts, one)]
    places = list(dict.fromkeys(chain.from_iterable(of_reason for of_reason, _ in lists)))
    values = scored.scores.inputs[row, places].tolist()
    days = list(map(iso_day, scored.behind.days[row, places].tolist()))
    return reason_features(written.reason_features.of_person(places, values, days), lists)


def plain_range(ends: tuple[float, float] | None) -> dict[str, Any] | None:
    """A range as plain values; None where there is none."""
    if ends is None:
        return None
    return {"level": LEVEL, "low": ends[0], "high": ends[1], "in_words": between_in_100(*ends)}


def plain_what_if(found: ModelWhatIf) -> dict[str, Any]:
    return {**vars(found), "changes": [vars(change) for change in found.changes], "risks": list(found.risks)}


def _gaps_by_person(
    records: Records,
    as_of: dt.date,
    people: tuple[str, ...],
    places: np.ndarray,
    each: Callable[[PersonAsKnown], None] | None,
) -> dict[str, list[dict[str, Any]]]:
    """Gaps of each person who has any, in the order they are shown."""
    day = day_of(as_of)
    found = {}
    for patient, (person, gaps) in zip(people, people_with_gaps(records, places, day), strict=True):
        if each is not None:
            each(person)
        if gaps:
            found[patient] = [plain_gap(records, person.place, gap, day) for gap in gaps]
    return found


def plain_gap(records: Records, place: int, gap: FoundGap, as_of: int) -> dict[str, Any]:
    """A gap as plain values. Evidence rows count from the person's own first row, so they are the same in a request,
    a shard and the whole store.
    """
    found = gap.as_dict()
    found["shown"] = gap.shown(as_of)
    found["due_on"] = date_of(gap.due)
    found["days_overdue"] = None if gap.overdue is None else float(gap.overdue)
    for row in found["evidence"]:
        row["row"] -= int(records.offsets(row["table"])[place])
    return found
