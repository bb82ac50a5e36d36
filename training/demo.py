"""The demo's first half: a simulated trust, and the model trained on it. ``upstream demo`` runs it.

Each step reuses what an earlier demo left in the home.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from features import Records
from features.console import CommandError, Steps
from models.bundle.not_promoted import DEMO_NOTE, is_demo
from models.errors import BundleError
from models.publishing import current_bundle, verify
from models.signing import demo_key
from training.cli import TEAMS, YEARS
from training.errors import NoRun, StoreAbsent
from training.registry import tracking
from training.registry.promotion import promote
from training.registry.sync import sync, sync_refused
from training.settings import Settings
from training.simulator import Truth, simulate
from training.train import train

PEOPLE_A_TEAM = 375
SEED = 2
"""Not the simulator's own seed: with 9,000 people that makes a trust in which new disengagements fall by a fifth
between the calibration slice and the test slice (2.2 and 1.7 in 100). Promotion refuses its model, rightly, and a demo
is to show a promoted one.
"""


def demo_settings() -> Settings:
    """The settings of a demo of any size: a small one calibrates on few events, and reports how few events its gates
    could judge."""
    settings = Settings.load()
    few = settings.training.model_copy(update={"fewest_calibration_events": 1})
    return settings.model_copy(update={"training": few})


def teams_of(patients: int) -> int:
    return max(TEAMS, patients // PEOPLE_A_TEAM)


def begin(home: Path, patients: int, fresh: bool) -> None:
    """Notes what the demo is made of. Raises CommandError if the folder holds any other files."""
    wanted = {
        "patients": patients,
        "years": YEARS,
        "teams": teams_of(patients),
        "seed": SEED,
    }
    note = home / DEMO_NOTE
    made = json.loads(note.read_text(encoding="utf-8")) if note.exists() else None
    if home.exists() and any(home.iterdir()) and made is None:
        raise CommandError(f"{home} holds other files; choose an empty folder with --home")
    if made is not None and (fresh or made != wanted):
        if not fresh:
            raise CommandError(
                f"{home} holds a demo of {made['patients']:,} people; add --fresh to start again, "
                "or choose another --home"
            )
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted), encoding="utf-8")


def simulated(steps: Steps, home: Path, patients: int) -> Records:
    """Simulates the trust and ingests it. Returns the store's records; steps done before are reused."""
    with steps.step(f"simulate a trust of {patients:,} people (synthetic)") as say:
        if (home / "store").exists():
            say("there already, reused")
        else:
            trust = simulate(patients=patients, years=YEARS, seed=SEED, teams=teams_of(patients))
            trust.truth.save(home / "truth")
            trust.records.save(home / "extract")
            say(f"{sum(len(t) for t in trust.records.tables.values()):,} rows")
    with steps.step("ingest the extract into a store") as say:
        if (home / "store").exists():
            say("there already, reused")
        else:
            Records.load(home / "extract").save(home / "store")
            shutil.rmtree(home / "extract")
            say("both clocks checked")
        return Records.load(home / "store")


def served_model(steps: Steps, home: Path, settings: Settings, records: Records) -> None:
    """Trains, promotes and publishes the demo's model. A model that the gates refuse is served, marked as refused."""
    with steps.step("build features, train and evaluate both outcomes") as say:
        try:
            found = tracking.open_store(home, settings.tracking).version(tracking.CHALLENGER)
            say(f"version {found.version} exists already, reused")
        except (StoreAbsent, NoRun):
            result = train(records, settings, home, truth=Truth.load(home / "truth"), progress=steps.note)
            say(f"version {result.version}")
    refused = None
    with steps.step("promote the challenger through the gates") as say:
        shown = shown_unpromoted(home)
        try:
            found = tracking.open_store(home, settings.tracking).version(tracking.CHAMPION)
            say(f"version {found.version} is champion already, reused")
        except NoRun:
            if shown:
                say("refused before, reused")
            else:
                key = demo_key(home)
                promotion = promote(home, settings, by="demo", why="first model of the demo", signing_key=key)
                say(promotion.summary if promotion.promoted else "not promoted, these gates refused")
                refused = None if promotion.promoted else promotion
    for reason in refused.reasons if refused else ():
        steps.note(reason)
    if refused:
        steps.note(
            "A demo shows the model nevertheless, marked on every page as not promoted. No other home does this."
        )
    with steps.step("publish the model's bundle") as say:
        if shown:
            say(f"bundle {shown} is served already, reused")
        else:
            state = sync_refused(home, settings, refused) if refused else sync(home, settings)
            say(f"bundle {state['bundle_id']}{'' if state['changed'] else ' serves already, reused'}")


def shown_unpromoted(home: Path) -> str:
    """The id of the bundle that a demo shows although the gates refused it; empty if there is none."""
    try:
        manifest = verify(current_bundle(home / "bundles"))
    except BundleError:
        return ""
    return manifest.bundle_id if manifest.not_promoted and is_demo(home) else ""


def champion(home: Path) -> str:
    """The champion's version, as the doctor reports it. Raises UpstreamError if there is none."""
    if shown := shown_unpromoted(home):
        return f"none: a demo shows {shown}, which was not promoted"
    return f"version {tracking.open_store(home, Settings.load().tracking).version(tracking.CHAMPION).version}"
