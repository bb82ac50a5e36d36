"""The weekly digest as values. Counts only: no id, no name and no date of a person is in it."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from serving.wording import day, people


class KindCount(BaseModel):
    """How many people have one kind of overdue or missing care."""

    title: str
    people: int


class TeamDigest(BaseModel):
    """One team's week."""

    name: str
    people: int
    critical: int = Field(description="people with a critical safety gap")
    pressing: int = Field(description="people with a critical or high safety gap")
    capacity: int | None = Field(description="reviews the team can do in a week")
    reviewed: int = Field(description="people reviewed in the last seven days")
    joined: int = Field(description="people who came onto the list above the line in the last seven days")
    left: int = Field(description="people who left it")
    given: int = Field(description="people given to a colleague")
    this_week: int = Field(description="people marked for this week and not reviewed since")
    kinds: list[KindCount] = Field(description="the commonest kinds of overdue or missing care")


class Digest(BaseModel):
    """The week of the caller's teams. ``as_of`` is null where no list was published yet."""

    made_on: dt.date
    as_of: dt.date | None
    synthetic: bool
    stale: bool
    teams: list[TeamDigest]

    def lines(self) -> list[str]:
        """The digest as plain text, to be sent: counts, and no person."""
        if self.as_of is None:
            return ["Upstream, weekly digest: no list has been published yet."]
        head = f"Upstream, week to {day(self.made_on)}. List of {day(self.as_of)}."
        found = [head + (" SYNTHETIC: these people are invented." if self.synthetic else "")]
        if self.stale:
            found.append("This list is old. Tell the people who run Upstream.")
        for team in self.teams:
            of = f" of {team.capacity}" if team.capacity is not None else ""
            found += [
                "",
                team.name,
                f"  On the list: {people(team.people)}",
                f"  Critical safety gap: {people(team.critical)}; critical or high: {people(team.pressing)}",
                f"  Reviewed in the last seven days: {team.reviewed}{of}",
                f"  Joined the places above the line: {team.joined}; left them: {team.left}",
                f"  Given to a colleague: {team.given}; still to do this week: {team.this_week}",
                *(f"  {kind.title}: {people(kind.people)}" for kind in team.kinds),
            ]
        return [*found, "", "Counts only. Sign in to Upstream to see the people."]
