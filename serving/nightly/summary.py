"""What a nightly run reports: people, lists and gaps, for a terminal and for the run's row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from features.engine.caseload import ON_CASELOAD, Caseload
from serving.nightly.fitting_ids import LONGEST_ID


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
