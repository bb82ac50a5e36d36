"""What a nightly run says of itself as a whole: its row, its teams, and its summary for terminal and pages."""

from __future__ import annotations

import datetime as dt
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from features import Records
from features.engine.caseload import ON_CASELOAD, Caseload
from models import RiskModel
from serving.nightly.arrival import newest_day
from serving.nightly.fitting_ids import LONGEST_ID, plain_text
from serving.nightly.lists import Lists
from serving.nightly.rows_of_run import RowsOfRun
from serving.worklists.rules import PRESSING


@dataclass(frozen=True)
class Summary:
    """The result of a nightly run. ``reused`` means that this same run already existed; ``unchanged`` people were
    copied from an earlier run of the same day."""

    run_id: str
    reused: bool
    as_of: str
    bundle_id: str
    data_hash: str
    synthetic: bool
    people: int
    people_with_safety_gap: int
    gaps: int
    rows_set_aside: int
    shards_resumed: int = 0
    unchanged: int = 0
    thinned: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    teams: list[dict[str, Any]] = field(default_factory=list)
    biggest_movers: list[dict[str, Any]] = field(default_factory=list)
    lists: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """The summary for a terminal."""
        head = "published already, reused" if self.reused else "published"
        found = [f"run {self.run_id} for {self.as_of} {head}: {self.people:,} people, {self.gaps:,} care gaps"]
        if self.unchanged:
            scored = self.people - self.unchanged
            found.append(f"{scored:,} scored; {self.unchanged:,} copied from an earlier run of this day, unchanged")
        found += [f"left out: {count:,} {reason}" for reason, count in self.left_out.items()]
        found += [_team_line(team) for team in self.teams]
        found += [
            (
                f"moved: {m['team_id']}, one person from place {m['place_before']} to {m['place']} by risk "
                f"({100 * m['change']:+.1f} in 100)"
            )
            for m in self.biggest_movers
        ]
        if any(team.get("risk_best") for team in self.teams):
            found.append(self._cost())
        if self.thinned:
            found.append(f"{self.thinned} older runs keep their risks, ranks and gaps, and lost their explanations")
        return [*found, f"seconds: {', '.join(f'{stage} {taken}' for stage, taken in self.seconds.items())}"]

    def _cost(self) -> str:
        """The cost of steady lists and of places for the longest unseen: expected events that pure rank order would
        have listed.
        """
        best, listed, stay, draw = (
            sum(team.get(name, 0.0) for team in self.teams)
            for name in ("risk_best", "risk_listed", "given_up_to_stay", "given_up_to_draw")
        )
        return (
            f"cost: {best:.2f} expected events at the slots by the order alone, {listed:.2f} as listed; "
            f"{stay:.2f} given up to keep lists steady, {best - listed - stay - draw:.2f} to the longest unseen"
            + (f", {draw:.2f} to the draw at the line" if draw else "")
        )


def _team_line(team: dict[str, Any]) -> str:
    """One team's list in a sentence."""
    left = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in team.get("left", {}).items())
    joined = team.get("joined")
    change = "first list" if joined is None else f"{joined} joined, left: {left or 'nobody'}"
    return (
        f"{team['team_id']}: {team['people']:,} people, {team.get('listed', 0)} listed "
        f"({team.get('longest_unseen', 0)} unseen for longest), "
        f"{team.get('reviewed', 0)} reviewed, {team.get('snoozed', 0)} snoozed; {change}"
    )


def left_out_of(chosen: Caseload, unfit: int = 0) -> dict[str, int]:
    """How many people are not on the lists, by reason. ``unfit`` is how many the database refuses."""
    counts = chosen.excluded()["reason"].value_counts()
    found = {str(reason): int(number) for reason, number in counts.items() if reason != ON_CASELOAD}
    return found | ({f"id longer than {LONGEST_ID} characters, or with control characters": unfit} if unfit else {})


def run_row(run_id: str, model: RiskModel, records: Records, day: dt.date, started: dt.datetime) -> dict[str, Any]:
    """The row of ``runs``, with an empty summary."""
    source = str(records.about.get("source") or ("simulated" if records.synthetic else "records store"))
    return {
        "run_id": run_id,
        "bundle_id": model.manifest.bundle_id,
        "model_version": model.manifest.model_version,
        "data_hash": records.data_hash,
        "data_source": source[:200],
        "synthetic": records.synthetic or model.manifest.synthetic,
        "as_of": day,
        "newest_record_on": newest_day(records, before=day),
        "started_at": started,
        "finished_at": dt.datetime.now(dt.UTC),
        "features": [{"name": f.name, "concept": f.concept, "unit": f.unit} for f in model.features],
        "summary": {},
    }


def team_rows(records: Records, with_people: frozenset[str], in_scope_kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows of ``run_teams``: the teams with people on their list, and those of a kind in scope."""
    found = []
    for team in records["teams"].to_dict("records"):
        fits = len(str(team["team_id"])) <= LONGEST_ID and str(team["team_id"]).isprintable()
        if fits and (team["team_id"] in with_people or team["kind"] in in_scope_kinds):
            known = {str(key): None if pd.isna(value) else value for key, value in team.items()}
            found.append(
                {
                    "team_id": known["team_id"],
                    "name": plain_text(known["name"]) or known["team_id"],
                    "kind": plain_text(known["kind"]),
                    "weekly_reviews": None if known["weekly_reviews"] is None else int(known["weekly_reviews"]),
                }
            )
    return found


def told_of_run(model: RiskModel, written: RowsOfRun, lists: Lists) -> dict[str, Any]:
    """What the summary of a run says besides its report."""
    return {
        "people": sum(written.team_sizes().values()),
        "outcomes": {name: list(days) for name, days in model.outcomes.items()},
        "middles": middles(written),
        "not_promoted": list(model.manifest.not_promoted),
        "list": {"rules": lists.rules},
    }


def middles(written: RowsOfRun) -> dict[str, dict[str, float]]:
    """The median risk of each team, by outcome and horizon: ``{team: {"admission_90": 0.04}}``."""
    found: dict[str, dict[str, list[float]]] = {}
    for team, outcome, horizon, risk in written.risks():
        found.setdefault(team, {}).setdefault(f"{outcome}_{horizon}", []).append(risk)
    return {
        team: {name: float(statistics.median(risks)) for name, risks in sorted(named.items())}
        for team, named in sorted(found.items())
    }


def summary_of_run(
    run: dict[str, Any], teams: list[dict[str, Any]], written: RowsOfRun, lists: Lists, left_out: dict[str, int]
) -> Summary:
    """The report of a run, without what only the run itself knows (its seconds, what it resumed)."""
    sizes = written.team_sizes()
    found, with_safety = written.gap_counts(PRESSING)
    return Summary(
        run_id=run["run_id"],
        reused=False,
        as_of=run["as_of"].isoformat(),
        bundle_id=run["bundle_id"],
        data_hash=run["data_hash"],
        synthetic=run["synthetic"],
        people=sum(sizes.values()),
        people_with_safety_gap=with_safety,
        gaps=found,
        rows_set_aside=0,
        left_out=left_out,
        teams=[
            {
                "team_id": team["team_id"],
                "name": team["name"],
                "people": int(sizes.get(team["team_id"], 0)),
                "weekly_reviews": team["weekly_reviews"],
                **lists.teams[team["team_id"]],
            }
            for team in teams
        ],
        biggest_movers=lists.movers,
        lists=lists.rules,
    )
