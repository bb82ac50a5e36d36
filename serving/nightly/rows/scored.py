"""A scored shard as rows of the service database, by table, without ``run_id``."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

from pydantic_core import to_json

from serving.nightly.rows.timeline import listed
from serving.runs.repository import pack, pack_days
from serving.scoring.json_pieces import Reasons
from serving.scoring.service import ScoredPeople, plain_what_if
from serving.storage.packed import packed_text, rows_without_zeros
from serving.worklists.schemas import SHOWN_REASONS

Ranked = list[tuple[int, float, bool, bool]]


def rows_of(scored: ScoredPeople, team_of: dict[str, str], unknown: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """One scored shard as rows, by table. ``unknown`` counts each person's supplies of unknown medicines. Explanations
    are written for all of the shard at once, as they are stored (``serving.nightly.staging.AS_STORED``)."""
    rows: dict[str, list[dict[str, Any]]] = {"people": [], "scores": _score_rows(scored), "gaps": []}
    for row, (patient, behind) in enumerate(zip(scored.people, _behind(scored), strict=True)):
        flags = scored.flags(row) | {"unknown_medicines": unknown.get(patient, 0)}
        rows["people"].append(
            {
                "patient_id": patient,
                "team_id": team_of[patient],
                "last_seen_on": scored.last_seen(row),
                "next_booked_on": scored.next_booked(row),
                "history_days": flags["history_days"],
                "flags": flags,
                "feature_values": pack(scored.scores.inputs[row]),
                "feature_days": pack_days(scored.behind.days[row]),
                "behind": behind,
                # The note is the same for all, so it is added again when read.
                "what_if": [
                    {key: value for key, value in plain_what_if(found).items() if key != "note"}
                    for found in scored.what_ifs[row]
                ],
            }
        )
        for position, gap in enumerate(scored.gaps.get(patient, [])):
            rows["gaps"].append({"patient_id": patient, "position": position, **gap})
    return rows


def _score_rows(scored: ScoredPeople) -> list[dict[str, Any]]:
    found_rows, words = [], Reasons(scored.model.reasoner)
    for outcome, horizons in scored.model.outcomes.items():
        found = scored.scores[outcome]
        assert found.contributions is not None and found.horizon_part is not None
        for column, horizon in enumerate(horizons):
            ranked = [reasons[outcome, horizon] for reasons in scored.ranked_concepts]
            texts = iter(words.plain(list(chain.from_iterable(ranked))))
            contributions = rows_without_zeros(found.contributions[:, column])
            base, probability, part = float(found.base[column]), found.probability[:, column], found.horizon_part
            numbers = zip(probability.tolist(), part[:, column].tolist(), contributions, strict=True)
            for row, (patient, mine, (risk, share, packed)) in enumerate(
                zip(scored.people, ranked, numbers, strict=True)
            ):
                low, high = found.range_at(row, column) or (None, None)
                found_rows.append(
                    {
                        "patient_id": patient,
                        "outcome": outcome,
                        "horizon_days": horizon,
                        "probability": risk,
                        "low": low,
                        "high": high,
                        "base": base,
                        "horizon_part": share,
                        "contributions": packed,
                        # The features of a reason are in the contributions, so they are joined again when read.
                        "reasons": packed_text((b"[%s]" % b",".join(islice(texts, len(mine)))).decode()),
                        "raised_by": listed(words.slug(*one) for one in mine[:SHOWN_REASONS] if one[1] > 0),
                    }
                )
    return found_rows


def _behind(scored: ScoredPeople) -> list[str | bytes | None]:
    """What is behind the reasons of each person, by concept, as it is stored."""
    words = Reasons(scored.model.reasoner)
    shown = [
        list(dict.fromkeys(words.slug(*one) for ranked in reasons.values() for one in ranked))
        for reasons in scored.ranked_concepts
    ]
    rows = [row for row, slugs in enumerate(shown) for _ in slugs]
    texts = iter(scored.behind.texts(rows, list(chain.from_iterable(shown))))
    pieces = (b",".join(b"%s:%s" % (to_json(slug), next(texts)) for slug in slugs) for slugs in shown)
    return [packed_text((b"{%s}" % piece).decode()) for piece in pieces]
