"""A caller: a role and the teams it may see. Rules only; nothing here reads a database or a request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from features.errors import UpstreamError


class Role(StrEnum):
    """What a caller is. A role decides what they may do, the team scope for whom."""

    PHARMACIST = "pharmacist"
    CMHT_SYSTEM = "cmht_system"
    DATA_SCIENTIST = "data_scientist"
    AUDITOR = "auditor"
    OPERATOR = "operator"


EVERYONE = tuple(Role)
SEES_PEOPLE = (Role.PHARMACIST, Role.CMHT_SYSTEM)
"""Roles that may receive rows about people. All others get none, whatever their team scope."""
MAY_SEE_ALL_TEAMS = (Role.CMHT_SYSTEM,)

ROLE_LABELS = {
    Role.PHARMACIST: "Pharmacist",
    Role.CMHT_SYSTEM: "CMHT system",
    Role.DATA_SCIENTIST: "Data scientist",
    Role.AUDITOR: "Auditor",
    Role.OPERATOR: "Operator",
}


VOUCHED = "oidc-"


@dataclass(frozen=True)
class Caller:
    """An authenticated caller. ``team_ids`` is None for all teams (a CMHT system only); ``leads`` are the teams they
    lead.
    """

    token_id: str
    role: Role
    team_ids: frozenset[str] | None
    label: str = ""
    leads: frozenset[str] = frozenset()

    @property
    def sees_people(self) -> bool:
        return self.role in SEES_PEOPLE

    def is_beyond(self, team_id: str) -> bool:
        """True if the team is not one of the caller's: people of it are visible only through emergency access."""
        return self.team_ids is not None and team_id not in self.team_ids

    @property
    def person(self) -> str:
        """The same for one person on every day: what keeps a draft for them, and whom a piece of work is given to.

        A provider's sign-in has it in its id. A session of the demo, and a token, are known by role and name.
        """
        if self.token_id.startswith(VOUCHED) or not self.label:
            return self.token_id
        return local_person(self.role, self.label)

    @property
    def role_label(self) -> str:
        return ROLE_LABELS[self.role]


def person_id(issuer: str, subject: str) -> str:
    """How the log names somebody whom a provider vouches for: the same for a token and for a session, on every day."""
    return VOUCHED + hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()[:32]


def local_person(role: Role, label: str) -> str:
    """How somebody without a provider is known on every day: by role and name."""
    return "local-" + hashlib.sha256(f"{role.value}\n{label}".encode()).hexdigest()[:32]


class ScopeError(UpstreamError, ValueError):
    """A token was requested with a team scope that its role cannot have."""


def team_named(team_id: str) -> str:
    """The one spelling of a team's id, as the records have it. Raises ``ScopeError`` where nothing is left of it."""
    from features.records.reading.ids import clean_id  # imported here: the command line's help loads this module

    plain = clean_id(team_id)
    if not plain:
        raise ScopeError("a team id is empty, or a number that a spreadsheet rounded; write it as the records have it")
    return plain


def checked_scope(role: Role, team_ids: list[str] | None) -> frozenset[str] | None:
    """The team scope a role may hold: named teams, or None (all) for a CMHT system. Raises ``ScopeError`` with what to
    do."""
    if role not in SEES_PEOPLE:
        if team_ids:
            raise ScopeError(f"the role {role.value} sees no people, so it takes no team; leave the team out")
        return frozenset()
    if team_ids:
        return frozenset(team_named(one) for one in team_ids)
    if role in MAY_SEE_ALL_TEAMS:
        return None
    raise ScopeError(f"the role {role.value} needs at least one team; name it, for example --team T01")
