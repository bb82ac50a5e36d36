"""The nightly run: turns a store of records into one published set of worklists. It publishes all of them or none.

The run's id is a hash of the bundle, the data and the date, so the same run is never made twice. Everybody whose
records changed since an earlier run of the day is scored first, in shards of people, by the function that answers
``POST /v1/scores``, on two cores; each finished shard goes to disk, so memory holds one shard per core and an
interrupted run resumes. Then one transaction writes the rows, the audit event and the pointer. A lock prevents a
second run at the same time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row

from features import Records
from features.engine.caseload import IN_SCOPE_TEAM_KINDS, Caseload, caseload
from features.errors import UpstreamError
from features.records import date_of, day_of
from features.records.unmapped import unknown_medicines
from features.settings import ArrivalSettings, LotterySettings
from features.summaries import summary_of
from models import RiskModel
from models.bundle.not_promoted import refuse_unless_demo
from models.bundle.signature import refuse_unsigned
from models.lottery_band import BandRules
from serving.auditlog.log import Audit, Look, append
from serving.nightly.arrival import Acceptance, Arrived, ListRefused, arrived, newest_day, refusals
from serving.nightly.fitting_ids import refuse_erased, storable, without_erased
from serving.nightly.lists import make_lists, plain_rules
from serving.nightly.processes import in_processes
from serving.nightly.rows.scored import rows_of
from serving.nightly.rows.timeline import groups, listed, timelines
from serving.nightly.rows_of_run import RowsOfRun
from serving.nightly.staging import Staging
from serving.nightly.summary import Summary, left_out_of, run_row, summary_of_run, team_rows, told_of_run
from serving.nightly.unchanged import find_unchanged
from serving.runs.repository import begin_run, current_run, end_run, find_run, publish, refuse, thin
from serving.runs.run_lock import only_runner, staging_folder
from serving.scoring.service import score_people
from serving.storage import migrations
from serving.storage.database import Database
from serving.summaries.schemas import stored
from serving.worklists.ranking import Ranking
from serving.worklists.rules import ListRules

SHARD, SMALLEST = 2_000, 100
"""People in a shard at most, and the fewest that are worth a process of their own."""
DEFAULT_TOLERANCES = ArrivalSettings()
NO_LOTTERY = LotterySettings()
EXPLAINED_DAYS = 35
"""How many days a run keeps its explanations after another is published. They are most of a run's size, and the same
bundle and records make them again.
"""
Progress = Callable[[str, int, int], None]
"""Called with the stage, how much is done and the total."""


class NothingToScore(UpstreamError):
    """No person in the store is on a caseload on that day. The message says why people were left out."""


def score_store(
    store: Path | str,
    bundle: Path | str | RiskModel,
    database: Path | str | Database,
    as_of: dt.date | str | None = None,
    *,
    in_scope_kinds: tuple[str, ...] = IN_SCOPE_TEAM_KINDS,
    ranking: Ranking = Ranking.RISK,
    threads: int = 2,
    shard: int = SHARD,
    explained_days: int = EXPLAINED_DAYS,
    tolerances: ArrivalSettings = DEFAULT_TOLERANCES,
    lottery: LotterySettings = NO_LOTTERY,
    accept: Acceptance | None = None,
    score_all: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Summary:
    """Scores everybody on the caseload and publishes the worklists.

    ``store`` is a folder of records; ``bundle`` a bundle folder, a bundles root or a loaded model; ``database`` a home
    folder, a database URL or a ``Database``. ``as_of`` defaults to the day after the newest recorded event;
    ``ranking`` is the order of the published lists; ``shard`` is how many people each of ``threads`` processes holds
    in memory at once. Runs older than ``explained_days`` keep their risks, ranks and gaps and lose their explanations.
    The records are compared with those behind the published list: if they differ by more than ``tolerances``, nothing
    is published and ``ListRefused`` says why, unless ``accept`` names the person who accepts the change. People whose
    records are those of an earlier run of the same day are copied from it; ``score_all`` scores them too. Raises
    ``AlreadyRunning`` if another run is active, ``ErasedMeanwhile``, ``NothingToScore``, ``RecordsError``,
    ``BundleError`` or ``DatabaseUnavailable``; then nothing is published.
    """
    began = time.perf_counter()
    progress("loading", 0, 2)
    model = bundle if isinstance(bundle, RiskModel) else RiskModel.load(bundle, self_test=True)
    home = _home_of(database)
    refuse_unsigned(
        model.manifest, model.signature, home if home or isinstance(bundle, RiskModel) else Path(bundle).parent
    )
    progress("loading", 1, 2)
    records = Records.load(store)
    progress("loading", 2, 2)
    refuse_unless_demo(model.manifest, home, synthetic=records.synthetic)
    day = latest_as_of(records) if as_of is None else _date(as_of)
    loaded = time.perf_counter()
    rules = list_rules(model, ranking, lottery)
    run_id = run_id_of(model, records, day, rules)
    with migrations.opened(database) as opened, only_runner(folder := staging_folder(opened, Path(store))) as lock:
        started = dt.datetime.now(dt.UTC)
        chosen, unfit = storable(caseload(records, day_of(day), in_scope_kinds))
        chosen = without_erased(opened, chosen)
        teams = chosen.spine["team_id"].value_counts().sort_index()
        synthetic = records.synthetic or model.manifest.synthetic
        sizes = arrived(records, day, synthetic, {str(team): int(count) for team, count in teams.items()})
        _guard(opened, sizes, run_id, tolerances, accept)
        before = _again(opened, model, run_id, accept)
        if before is not None:
            return before
        if chosen.spine.empty:
            raise NothingToScore(_nobody(chosen))
        same = find_unchanged(opened, model, records, day, chosen, score_all=score_all, threads=threads)
        changed = chosen.spine[~chosen.spine["patient_id"].isin(same.people)]
        shard = min(shard, max(SMALLEST, -(-len(changed) // threads)))  # few people are work for every process too
        # Shards scored by other code, or of other records, are not reused.
        who = [same.made_of, str(shard), *changed["patient_id"], *changed["team_id"]]
        staging = Staging(folder, run_id, who)
        resumed = staging.finished
        unknown = unknown_medicines(records, store)
        if not resumed and len(changed):
            _compile(model, records, day, str(changed["patient_id"].iloc[0]))
        _score_shards(model, records, day, changed, same.hashes, unknown, threads, shard, staging, progress, lock)
        computed = time.perf_counter()
        progress("publishing", 0, 1)
        run = run_row(run_id, model, records, day, started)
        listed_teams = team_rows(records, frozenset(teams.index), in_scope_kinds)
        with _refusal_kept(opened, run_id, sizes), opened.write() as connection:
            made = find_run(connection, run_id)
            if made is not None:  # written meanwhile by a run on another machine
                return _reused(made)
            begin_run(connection, run, listed_teams)
            staging.copy_into(connection)
            same.copy_into(connection, run_id)
            written = RowsOfRun(connection, run_id)
            sizes = replace(sizes, gaps=written.people_by_code())
            reasons = _reasons(connection, sizes, tolerances, accept)
            excluded = chosen.excluded()
            gone = dict(zip(excluded["patient_id"], excluded["reason"], strict=True))
            capacity = {team["team_id"]: team["weekly_reviews"] for team in listed_teams}
            lists = make_lists(written, rules, day, capacity, gone)
            summary = summary_of_run(run, listed_teams, written, lists, left_out_of(chosen, unfit))
            summary = replace(
                summary,
                rows_set_aside=records.rows_set_aside,
                shards_resumed=len(resumed),
                unchanged=len(same.people),
                seconds={"load": round(loaded - began, 3), "score": round(computed - loaded, 3)},
            )
            told = told_of_run(model, written, lists) | {"arrived": sizes.as_dict(), "made_of": same.made_of}
            end_run(connection, run_id, told | {"report": summary.as_dict()}, lists.rows)
            _publish(opened, connection, model, run_id, run["finished_at"], summary.people, accept, reasons)
            refuse_erased(connection, chosen)
        staging.remove()
        with opened.write() as connection:  # separate: what is published stays published
            now = dt.datetime.now(dt.UTC)
            thinned = thin(connection, now - dt.timedelta(days=explained_days), now)
        summary = replace(summary, thinned=thinned)
        progress("publishing", 1, 1)
        summary.seconds["publish"] = round(time.perf_counter() - computed, 3)
        return summary


def _home_of(database: Path | str | Database) -> Path | None:
    """The home folder that ``score_store`` was given, or None for a database without a home."""
    if isinstance(database, Database) or (isinstance(database, str) and "://" in database):
        return None
    return Path(database)


def _compile(model: RiskModel, records: Records, day: dt.date, person: str) -> None:
    """Scores one person, so that every kernel is compiled or read from its cache before workers are forked."""
    score_people(model, records.select([person]), day, [person])


def _guard(
    database: Database, sizes: Arrived, run_id: str, tolerances: ArrivalSettings, accept: Acceptance | None
) -> None:
    """Raises ``ListRefused`` if there are reasons not to publish and nobody accepts them, and keeps the refusal."""
    with _refusal_kept(database, run_id, sizes), database.read() as connection:
        _reasons(connection, sizes, tolerances, accept)


def _reasons(
    connection: Connection, sizes: Arrived, tolerances: ArrivalSettings, accept: Acceptance | None
) -> list[str]:
    """The reasons not to publish that somebody accepts. Raises ``ListRefused`` if nobody does."""
    run = current_run(connection)
    before = Arrived.of(run.summary.get("arrived")) if run is not None else None
    reasons = refusals(sizes, before, run.as_of if run is not None else None, tolerances)
    if reasons and accept is None:
        raise ListRefused(reasons)
    return reasons


@contextmanager
def _refusal_kept(database: Database, run_id: str, sizes: Arrived) -> Iterator[None]:
    """Keeps the refusal of a run for the status page and in the log. It goes around the transaction of the run, which
    the refusal undoes."""
    try:
        yield
    except ListRefused as refused:
        with database.write() as connection:
            refuse(connection, run_id, dt.date.fromisoformat(sizes.as_of), refused.reasons, dt.datetime.now(dt.UTC))
            by = Audit(database, actor="nightly", role="operator", request_id=run_id[:16])
            append(connection, by, Look("run.refused", detail={"reasons": refused.reasons}))
        raise


def _again(database: Database, model: RiskModel, run_id: str, accept: Acceptance | None) -> Summary | None:
    """The summary of this same run if it was made before; it is published again if another run is."""
    with database.write() as connection:
        before = find_run(connection, run_id)
        if before is None:
            return None
        now = current_run(connection)
        if now is None or now.run_id != run_id:
            now_at = dt.datetime.now(dt.UTC)
            _publish(database, connection, model, run_id, now_at, before.summary["people"], accept, [])
        return _reused(before)


def _reused(run: Row[Any]) -> Summary:
    return Summary(**{**run.summary["report"], "reused": True})


def latest_as_of(records: Records) -> dt.date:
    """The day after the newest recorded event (except planned contacts), and no later than today."""
    newest = newest_day(records)
    today = dt.date.today()
    return today if newest is None else min(today, newest + dt.timedelta(days=1))


def list_rules(model: RiskModel, ranking: Ranking, lottery: LotterySettings = NO_LOTTERY) -> ListRules:
    """Rules of the lists: ranked by admission within 90 days if the model gives it; with a lottery band if the settings
    name who approved one.
    """
    outcome = "admission" if "admission" in model.outcomes else next(iter(model.outcomes))
    horizons = model.outcomes[outcome]
    band = None
    if lottery.enabled:
        band = BandRules(lottery.seed, lottery.each_side, lottery.margin, lottery.most_capture_cost)
    return ListRules(outcome, 90 if 90 in horizons else horizons[0], ranking, band=band)


def run_id_of(model: RiskModel, records: Records, as_of: dt.date, rules: ListRules) -> str:
    """The id of a run: the same bundle, data, date and rules of the lists give the same id."""
    words = json.dumps(plain_rules(rules), sort_keys=True)
    text = "\n".join((model.manifest.bundle_id, records.data_hash, as_of.isoformat(), words))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _score_shards(
    model: RiskModel,
    records: Records,
    day: dt.date,
    people_and_teams: pd.DataFrame,
    hashes: dict[str, bytes],
    unknown: dict[str, int],
    processes: int,
    shard: int,
    staging: Staging,
    progress: Progress,
    lock: int,
) -> None:
    """Scores every unfinished shard of ``people_and_teams`` (columns patient_id and team_id) and writes it to disk,
    ``processes`` at a time."""
    people, team_of = people_and_teams["patient_id"].tolist(), people_and_teams["team_id"].tolist()
    finished = staging.finished
    missing = [first for first in range(0, len(people), shard) if first not in finished]
    # The last shard is shorter; for the progress display that is close enough.
    scored = min(len(people), len(finished) * shard)
    progress("scoring", scored, len(people))

    def work(first: int) -> None:
        ids = people[first : first + shard]
        part = records.select(ids).as_known(day_of(day))
        kept: list[dict[str, Any]] = []
        found = score_people(model, part, day, ids, each=lambda one: kept.append(stored(summary_of(one), one.as_of)))
        rows = rows_of(found, dict(zip(ids, team_of[first : first + shard], strict=True)), unknown)
        for person in rows["people"]:
            person["records_hash"] = hashes[person["patient_id"]]
        rows["timelines"] = timelines(part, day, ids)
        rows["person_groups"] = groups(part, day, ids)
        rows["summaries"] = [
            {"patient_id": patient, **row, "on_registers": listed(register[0] for register in row["registers"])}
            for patient, row in zip(ids, kept, strict=True)
        ]
        staging.add(first, rows)

    def done(first: int) -> None:
        nonlocal scored
        scored = min(len(people), scored + shard)
        progress("scoring", scored, len(people))

    in_processes(work, missing, processes, done, close=lock)


def _nobody(chosen: Caseload) -> str:
    why = "; ".join(f"{reason}: {number}" for reason, number in left_out_of(chosen).items()) or "the store holds nobody"
    return (
        f"nobody is on a caseload on {date_of(int(chosen.days[0]))} ({why}); check the date and the kinds of the teams"
    )


def _publish(
    database: Database,
    connection: Any,
    model: RiskModel,
    run_id: str,
    at: dt.datetime,
    people: int,
    accept: Acceptance | None,
    reasons: list[str],
) -> None:
    publish(connection, run_id, at)
    by = Audit(database, actor="nightly", role="operator", request_id=run_id[:16])
    look = Look("run.published", run_id=run_id, bundle_id=model.manifest.bundle_id, detail={"people": people})
    append(connection, by, look)
    if accept is not None:
        word = {"by": accept.by[:200], "why": accept.why[:500], "reasons": reasons}
        append(connection, by, Look("run.accepted", run_id=run_id, detail=word))


def _date(value: dt.date | str) -> dt.date:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value
