"""A scored shard as rows of the service database, by table, without ``run_id``."""

from __future__ import annotations

from typing import Any

from serving.nightly.rows.timeline import listed
from serving.runs.repository import pack, pack_days
from serving.scoring.service import ScoredPeople, plain_what_if
from serving.worklists.schemas import SHOWN_REASONS


def rows_of(scored: ScoredPeople, team_of: dict[str, str], unknown: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """One scored shard as rows, by table. ``unknown`` counts each person's supplies of unknown medicines."""
    rows: dict[str, list[dict[str, Any]]] = {"people": [], "scores": [], "gaps": []}
    # The features of a reason are in the contributions, so they are stored once and joined again when read.
    reasons = [scored.reasons(row) for row in range(len(scored.people))]
    for row, patient in enumerate(scored.people):
        flags = scored.flags(row) | {"unknown_medicines": unknown.get(patient, 0)}
        shown = [reason["concept"] for found in reasons[row].values() for reason in found]
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
                "behind": scored.behind.concepts(row, shown),
                # The note is the same for all, so it is added again when read.
                "what_if": [
                    {key: value for key, value in plain_what_if(found).items() if key != "note"}
                    for found in scored.what_ifs[row]
                ],
            }
        )
        for position, gap in enumerate(scored.gaps.get(patient, [])):
            rows["gaps"].append({"patient_id": patient, "position": position, **gap})
    for outcome, horizons in scored.model.outcomes.items():
        found = scored.scores[outcome]
        assert found.contributions is not None and found.horizon_part is not None
        for column, horizon in enumerate(horizons):
            for row, patient in enumerate(scored.people):
                mine = reasons[row][outcome, horizon]
                low, high = found.range_at(row, column) or (None, None)
                rows["scores"].append(
                    {
                        "patient_id": patient,
                        "outcome": outcome,
                        "horizon_days": horizon,
                        "probability": float(found.probability[row, column]),
                        "low": low,
                        "high": high,
                        "base": float(found.base[column]),
                        "horizon_part": float(found.horizon_part[row, column]),
                        "contributions": pack(found.contributions[row, column]),
                        "reasons": mine,
                        "raised_by": listed(
                            reason["concept"] for reason in mine[:SHOWN_REASONS] if reason["direction"] == "raises"
                        ),
                    }
                )
    return rows
