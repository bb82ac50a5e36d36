"""Every page and every state of it, as HTML, by name: what the content rules, the HTML checker and axe look at.

States that need a home of their own are made from copies of the small trust: nothing published, a team that no list
holds, an old list of real people, no model, somebody who left, a database that fails.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import text

from features import Records
from models.blind_rating import COLUMNS, rating_folder
from serving.identity.callers import Role
from serving.nightly.run import score_store
from serving.security.memberships import MembershipError, join_team
from serving.security.tokens import issue_session, issue_token
from serving.settings import database_url_of
from serving.storage import migrations
from serving.storage.database import Database
from tests.serving.reports import put_report

PAGES = {
    "teams": "/",
    "worklist": "/teams/north",
    "all my teams": "/teams",
    "filter saved": "/teams/north?saved=1",
    "filter not saved": "/teams/north?saved_wrong=name",
    "worklist, gaps first": "/teams/north?ranking=gaps&view=disengagement-180",
    "worklist, cut to a medicine": "/teams/north?medicine=clozapine",
    "worklist, nobody matches": "/teams/north?gap=NO_SUCH_GAP&reviewed=7",
    "worklist, one person a page": "/teams/north?limit=1&offset=1",
    "worklist, past the end": "/teams/north?offset=500",
    "team": "/teams/north/overview",
    "register": "/registers/clozapine",
    "register, nobody fits": "/registers/clozapine?status=no-gap",
    "this week": "/this-week?days=14",
    "find": "/find",
    "person": "/patients/N00",
    "person with nothing recorded": "/patients/N01",
    "sandbox": "/sandbox",
    "proposals": "/patients/N00/proposals",
    "proposals, none": "/patients/N06/proposals",
    "proposals, one accepted": "/patients/N00/proposals?accepted=CLZ_BREAK",
    "person, another risk": "/patients/N03?view=disengagement-90",
    "conversation sheet": "/patients/N00/conversation",
    "conversation sheet, easy read": "/patients/N00/conversation?easy=1",
    "conversation sheet with nothing recorded": "/patients/N01/conversation",
    "letter to the GP": "/patients/N00/letter",
    "letter with nothing recorded": "/patients/N01/letter",
    "texts, not set up": "/patients/N00/texts",
    "texts of the team, not set up": "/teams/north/texts",
    "weekly digest": "/digest",
    "help": "/help",
    "glossary": "/glossary",
    "review recorded": "/patients/N00?recorded=1",
    "model card": "/model",
    "status": "/status",
    "not permitted or not there": "/patients/S02",
    "no such page": "/nothing",
    "an address that does not work": "/teams/north?view=nonsense-3",
}
WITH_PEOPLE = [
    name for name, path in PAGES.items() if path.startswith(("/teams", "/patients/N")) and "nonsense" not in path
]


def draw_cases(home: Path) -> None:
    """Two cases of the north team and one of the south, as ``upstream silent rating`` writes them."""
    folder = rating_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["1,N03,north,draw-1,,", "2,S01,south,draw-1,,", "3,N05,north,draw-1,,"]
    (folder / "rating.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")


def state_pages(made_home: Path, folder: Path, start: Callable[..., Any], world: Any) -> dict[str, str]:
    """The designed states as HTML, by name."""
    found: dict[str, str] = {}

    def look(home: Path, role: str, teams: list[str] | None, *, real: bool = False, **paths: str) -> None:
        cookie = vouched(home) if real else issue_token(home, role, teams, "Priya", kind="session")
        with start(home) as client:
            client.cookies.set("upstream_session", cookie)
            for name, path in paths.items():
                found[name.replace("_", " ")] = client.get(path).text

    empty = folder / "empty"
    empty.mkdir(parents=True)
    with migrations.opened(empty):
        pass
    look(
        empty,
        "pharmacist",
        ["north"],
        nothing_published="/",
        team_with_no_list_yet="/teams/north",
        model_card_without_a_model="/model",
        status_without_a_model="/status",
    )
    with start(empty) as client:
        found["sign in, nothing published"] = client.get("/sign-in").text

    home = Path(shutil.copytree(made_home, folder / "home"))
    look(home, "data_scientist", None, no_permission="/teams/north", start_without_people="/")
    look(home, "pharmacist", ["east"], team_not_in_the_list="/teams/east", none_of_my_teams="/")
    cookie = issue_token(home, "pharmacist", ["north"], "Priya", kind="session")
    with start(home) as client:
        client.cookies.set("upstream_session", cookie)
        proof = re.search(r'name="proof" value="([^"]+)"', client.get("/").text)[1]  # type: ignore[index]
        form = {"proof": proof, "key": "states-1234", "actions": ["not_reached"], "medicines_reconciled": "yes"}
        found["review refused"] = client.post("/patients/N02/reviews", data=form, follow_redirects=True).text
        found["review not recorded yet"] = client.get("/patients/N02").text
        answers = dict.fromkeys(("medicines_reconciled", "allergies_up_to_date", "side_effects_assessed"), "yes")
        for number in range(2):
            done = form | answers | {"key": f"states-5678-{number}", "actions": ["gp_informed"]}
            page = client.post("/patients/N06/reviews", data=done, follow_redirects=True).text
        undo = re.search(r'action="(/patients/N06/reviews/[0-9a-f]+/undo)"', page)[1]  # type: ignore[index]
        edit = re.search(r'href="(/patients/N06/reviews/[0-9a-f]+/edit)', page)[1]  # type: ignore[index]
        found["review to correct"] = client.get(edit).text
        found["reviews recorded and undone"] = client.post(undo, data={"proof": proof}, follow_redirects=True).text

    look(home, "operator", None, monitoring_without_a_report="/monitoring")
    put_report(home)
    look(home, "data_scientist", None, monitoring="/monitoring")
    draw_cases(home)
    look(home, "pharmacist", ["north"], blind_rating="/rating", blind_rating_of_a_case="/rating?case=3")
    with start(home) as client:
        client.cookies.set("upstream_session", cookie)
        unclear = client.post("/rating", data={"proof": proof, "case": "1", "worth": "", "known": ""})
        found["blind rating, not clear"] = unclear.text

    whole, leaver = Records.load(home / "store"), listed_in_north(home)
    whole.select([person for person in whole.patient_ids if person != leaver]).save(home / "later")
    score_store(home / "later", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    look(
        home,
        "pharmacist",
        ["north"],
        somebody_who_left=f"/patients/{leaver}",
        team_after_somebody_left="/teams/north/overview",
    )
    with closing(Database(database_url_of(home))) as database, database.write() as connection:
        connection.execute(text("UPDATE runs SET synthetic = false"))
    shutil.rmtree(home / "bundles")
    look(
        home,
        "pharmacist",
        ["north"],
        real=True,
        old_list_and_no_model="/teams/north",
        old_person="/patients/N00",
        old_status="/status",
    )
    with closing(Database(database_url_of(home))) as database, database.write() as connection:
        connection.execute(text("DROP TABLE gaps"))
    look(home, "pharmacist", ["north"], real=True, failed="/teams/north")
    return found


def vouched(home: Path, team: str = "north") -> str:
    """A session of a member of a team, signed in by a provider: real people are shown only to such a session."""
    provider, today = "https://id.example", dt.datetime.now(dt.UTC).date()
    with suppress(MembershipError):  # she is in the team already
        join_team(home, provider, "priya", team, today, None, "a test", False)
    with closing(Database(database_url_of(home))) as database, database.write() as connection:
        return issue_session(connection, provider, "priya", Role.PHARMACIST, "Priya", assigned=False)[0]


def listed_in_north(home: Path) -> str:
    """Somebody with a place on the published list of the team, who is looked at by no other state."""
    query = (
        "SELECT patient_id FROM list_lines WHERE team_id = 'north' AND slot IS NOT NULL"
        " AND patient_id NOT IN ('N00', 'N06') ORDER BY run_id, place"
    )
    with closing(Database(database_url_of(home))) as database, database.write() as connection:
        return str(connection.scalars(text(query)).first())
