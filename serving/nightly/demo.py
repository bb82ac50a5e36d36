"""The demo's second half: worklists of a simulated trust, and invented names. ``upstream demo`` runs it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from features import Records
from features.console import Steps
from features.records import date_of
from serving.identities.invented import invented
from serving.identities.keys import IdentityKeys, write_new_key
from serving.identities.loading import held, store_identities
from serving.nightly.run import latest_as_of, score_store
from serving.settings import IDENTITY_KEY

EARLIER_LISTS = 3


def publish_lists(steps: Steps, home: Path, in_scope_kinds: tuple[str, ...], records: Records) -> None:
    """Scores everyone and publishes the worklists of today and of the weeks before."""
    with steps.step("score everyone and publish worklists") as say:
        # Publish lists of earlier weeks first, so that pages can show trends and people who joined or left.
        weeks = 0 if (home / "service.db").exists() else EARLIER_LISTS
        for week in range(weeks, -1, -1):
            as_of = latest_as_of(records) - dt.timedelta(days=7 * week)
            summary = score_store(home / "store", home / "bundles", home, as_of, in_scope_kinds=in_scope_kinds)
        say(f"{summary.people:,} people{', published already, reused' if summary.reused else ''}")


def invent_names(steps: Steps, home: Path, records: Records) -> None:
    """Gives everyone an invented name and an NHS number from the test range, sealed like real ones."""
    with steps.step("invent a name for everyone") as say:
        if held(home):
            say("there already, reused")
            return
        write_new_key(home / IDENTITY_KEY)
        born = [date_of(day) for day in records.columns("patients")["birth_date"].tolist()]
        people = invented(zip(records.patient_ids.tolist(), born, strict=True))
        store_identities(home, people, IdentityKeys.read(home / IDENTITY_KEY))
        say(f"{len(people):,} invented names, sealed; NHS numbers from the test range 999")
