"""Converts an extract to our tables: resolves references to people, teams and medicines, joins an appointment and its
encounter to one contact, and dates when each row became known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY, to_datetime64
from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.linking.identity import People, link_people
from features.records.sources.fhir.linking.supplies import supply_frames
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MERGED, REPLACED

Days = npt.NDArray[np.int32]
LATE_DAYS = 30
"""meta.lastUpdated dates a late column only if it is 0 to this many days after the event."""


@dataclass
class Seen:
    """The day on which the ledger first received each resource's content, and its late part. NO_DAY if the first
    export held it.
    """

    base: Days | None = None
    late: Days | None = None

    def of(self, source: npt.NDArray[np.int32], *, late: bool = False) -> Days:
        days = self.late if late else self.base
        return np.full(len(source), NO_DAY, np.int32) if days is None else days[source]


@dataclass
class Linked:
    """``frames`` as ``Records.from_frames`` takes them; ``origins`` holds the resource of every row of each table.
    ``clocks`` counts the rows of each table by the rule that dated when they became known.
    """

    frames: dict[str, pd.DataFrame]
    origins: dict[str, npt.NDArray[np.int32]]
    clocks: dict[str, dict[str, int]] = field(default_factory=dict)


class Linking:
    """One pass over an extract's tables."""

    def __init__(self, extract: Extract, seen: Seen, last_day: int) -> None:
        self.extract = extract
        self.seen = seen
        self.last_day = last_day
        self.live = _latest(extract)
        self.clocks: dict[str, dict[str, int]] = {}
        self.created, self.updated = self._provenance()
        self.people: People = link_people(extract, self.rows("patient"), self.rows("identifier"))

    def run(self) -> Linked:
        frames: dict[str, pd.DataFrame] = {}
        origins: dict[str, npt.NDArray[np.int32]] = {}

        def put(name: str, frame: pd.DataFrame) -> None:
            origins[name] = frame.pop("source").to_numpy(np.int32)
            frames[name] = frame.reset_index(drop=True)

        put("patients", self._patients())
        put("teams", self._teams())
        put("referrals", self._referrals())
        put("supplies", self._supplies())
        put("contacts", self._contacts())
        put("stays", self._stays())
        put("results", self._results())
        put("conditions", self._conditions())
        put("circumstances", self._circumstances())
        frames["teams"], origins["teams"] = self._named_teams(frames, origins["teams"])
        return Linked(frames, origins, self.clocks)

    def rows(self, name: str) -> pd.DataFrame:
        """Rows of one table, without resources that a later version replaced."""
        table = self.extract.tables[name]
        if not len(table):
            return table.to_pandas()
        source = table["source"].to_numpy()
        kept = self.live[source]
        return (table if kept.all() else table.filter(pa.array(kept))).to_pandas()

    def _mark(self, sources: npt.NDArray[np.int32], fate: str) -> None:
        self.extract.fates[sources] = self.extract.fate(fate)

    def _of_people(self, name: str) -> pd.DataFrame:
        """Rows of a table with the id of their person. A resource is set aside if no person is found for its
        reference.
        """
        rows = self.rows(name)
        ids = self.people.ids_of(rows["subject"])
        lost = ids.isna().to_numpy()
        if lost.any():
            subjects = rows["subject"].to_numpy(object)
            nobody = lost & pd.isna(subjects)
            self._mark(rows["source"].to_numpy()[nobody], f"{ASIDE}no person is named")
            self._mark(rows["source"].to_numpy()[lost & ~nobody], f"{ASIDE}the reference to the person leads nowhere")
        rows["patient_id"] = ids
        return rows[~lost].reset_index(drop=True)

    def _provenance(self) -> tuple[dict[str, int], dict[str, int]]:
        """The first creation and the last update that a Provenance records, by resource."""
        rows = self.rows("provenance")
        created: dict[str, int] = {}
        updated: dict[str, int] = {}
        for key, recorded, activity in zip(rows["key"], rows["recorded"], rows["activity"], strict=True):
            if activity == "CREATE":
                created[key] = min(created.get(key, NO_DAY), recorded)
            else:
                updated[key] = max(updated.get(key, recorded), recorded)
        return created, updated

    def _known(
        self, name: str, rows: pd.DataFrame, event: Days, *, keys: pd.Series | None = None, ahead: bool = False
    ) -> npt.NDArray[np.datetime64]:
        """The day on which each row became known: the ledger's day, or the day that the resource gives. Missing where
        the usual delay is applied later. ``ahead`` rows (bookings) may be known before they happen.
        """
        source = rows["source"].to_numpy(np.int32)
        ledger = self.seen.of(source)
        business = rows["business"].to_numpy(np.int32) if "business" in rows else np.full(len(rows), NO_DAY, np.int32)
        if keys is not None and self.created:
            recorded = np.array([self.created.get(key, NO_DAY) for key in keys], np.int32)
            both = np.maximum(recorded, business)
            business = np.where(recorded == NO_DAY, business, np.where(business == NO_DAY, recorded, both))
        known = np.where(ledger != NO_DAY, ledger, business)
        if not ahead:
            known = np.where(known == NO_DAY, NO_DAY, np.maximum(known, event))
        self._count(name, ledger, known)
        return to_datetime64(known.astype(np.int32))

    def _count(self, name: str, ledger: Days, known: Days) -> None:
        first = ledger != NO_DAY
        counts = self.clocks.setdefault(name, {"ledger": 0, "business time": 0, "usual delay": 0})
        counts["ledger"] += int(first.sum())
        counts["business time"] += int(((known != NO_DAY) & ~first).sum())
        counts["usual delay"] += int((known == NO_DAY).sum())

    def _late(self, name: str, rows: pd.DataFrame, event: Days, *, ahead: bool = False) -> npt.NDArray[np.datetime64]:
        """The day on which the late part of each row became known: the ledger's day, or meta.lastUpdated if it is
        shortly after the event.
        """
        told_by = rows["late_source"] if "late_source" in rows else rows["source"]
        ledger = self.seen.of(told_by.to_numpy(np.int32), late=True)
        updated = rows["late"].to_numpy(np.int64)
        near = (updated >= event) & (updated <= event.astype(np.int64) + LATE_DAYS) & (event != NO_DAY)
        if self.updated:
            said = np.array([self.updated.get(key, -1) for key in rows["key"]], np.int64)
            stated = (said >= event) & (event != NO_DAY)
            updated, near = np.where(stated, said, updated), near | stated
        after = ledger if ahead else np.where(ledger == NO_DAY, NO_DAY, np.maximum(ledger, event))
        known = np.where(ledger != NO_DAY, after, np.where(near, updated, NO_DAY))
        known = np.where(event == NO_DAY, NO_DAY, known)
        over = event != NO_DAY
        counts = self.clocks.setdefault(name, {"ledger": 0, "last update": 0, "usual delay": 0})
        counts["ledger"] += int((over & (ledger != NO_DAY)).sum())
        counts["last update"] += int((over & (ledger == NO_DAY) & near).sum())
        counts["usual delay"] += int((over & (known == NO_DAY)).sum())
        return to_datetime64(known.astype(np.int32))

    def _patients(self) -> pd.DataFrame:
        rows = self.people.rows
        columns = self.rows("condition")
        ids = self.people.ids_of(columns["subject"])
        died = np.where(rows["died_on"] == NO_DAY - 1, self.last_day, rows["died_on"]).astype(np.int32)
        recorded = np.array([self.created.get(key, NO_DAY) for key in rows["person"]], np.int32)
        ledger = self.seen.of(rows["source"].to_numpy(np.int32))
        known = np.where(ledger != NO_DAY, ledger, recorded).astype(np.int32)
        frame = pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "birth_date": to_datetime64(rows["birth_date"].to_numpy(np.int32)),
                "sex": rows["sex"],
                "ethnicity": rows["ethnicity"],
                "deprivation_decile": np.nan,
                "died_on": to_datetime64(died),
                "known_on": to_datetime64(known),
            }
        )
        for name in ("learning_disability", "autism"):
            confirmed = set(ids[(columns["column"] == name).to_numpy()].dropna())
            frame[name] = pd.Series("confirmed", index=frame.index, dtype="str").where(
                frame["patient_id"].isin(confirmed)
            )
        return frame

    def _teams(self) -> pd.DataFrame:
        rows = self.rows("team")
        frame = pd.DataFrame(
            {"source": rows["source"], "team_id": _tail(rows["key"]), "name": rows["name"], "kind": rows["kind"]}
        )
        return frame.sort_values("kind", na_position="last", kind="stable").drop_duplicates("team_id").sort_index()

    def _named_teams(
        self, frames: Mapping[str, pd.DataFrame], sources: npt.NDArray[np.int32]
    ) -> tuple[pd.DataFrame, npt.NDArray[np.int32]]:
        """Teams that a referral or a contact names. Other organisations of the extract are left out."""
        teams = frames["teams"]
        named = set(frames["referrals"]["team_id"].dropna()) | set(frames["contacts"]["team_id"].dropna())
        kept = teams["team_id"].isin(named).to_numpy()
        return teams[kept].reset_index(drop=True), sources[kept]

    def _referrals(self) -> pd.DataFrame:
        rows = self._of_people("referral")
        episodes = rows["key"].str.startswith("EpisodeOfCare/").to_numpy(bool)
        named = {key for text in rows["requests"][episodes].dropna() for key in text.split(" ") if key}
        merged = ~episodes & rows["key"].isin(named).to_numpy()
        self._mark(rows["source"].to_numpy()[merged], f"{MERGED}EpisodeOfCare")
        rows = rows[~merged].reset_index(drop=True)
        opened, closed = rows["opened"].to_numpy(np.int32), rows["closed"].to_numpy(np.int32)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "referral_id": _tail(rows["key"]),
                "team_id": _tail(rows["team"]),
                "opened_on": to_datetime64(opened),
                "closed_on": to_datetime64(closed),
                "close_reason": rows["reason"],
                "closed_known_on": self._late("referrals closed", rows, closed),
                "known_on": self._known("referrals", rows, opened, keys=rows["key"]),
            }
        )

    def _contacts(self) -> pd.DataFrame:
        rows = pd.concat([self._of_people("contact"), self._missed], ignore_index=True)
        rows["late_source"] = rows["source"]
        rows = self._paired(rows)
        roles = self.rows("role").drop_duplicates("key").set_index("key")
        staff = rows["staff"].astype("str")
        if len(roles):
            team = staff.map(roles["organization"].astype("str"))
            rows["team"] = rows["team"].astype("str").fillna(team)
            staff = staff.map(roles["practitioner"].astype("str")).fillna(staff)
        on = rows["day"].to_numpy(np.int32)
        ahead = rows["booked"].to_numpy(np.int64) != NO_DAY
        planned = (rows["outcome"] == "planned").to_numpy(bool)
        known = self._known("contacts", rows, on, keys=rows["key"], ahead=True)
        known = np.where(ahead | planned | np.isnat(known), known, np.maximum(known, to_datetime64(on)))
        event = np.where(planned, NO_DAY, on).astype(np.int32)
        cancelled = rows["outcome"].str.startswith("cancelled").to_numpy(bool)
        late = self._late("contacts outcome", rows, event)
        early = self.seen.of(rows["source"].to_numpy(np.int32), late=True)
        late = np.where(cancelled & (early != NO_DAY), to_datetime64(early), late)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "contact_id": _tail(rows["key"]),
                "team_id": _tail(rows["team"]),
                "staff_id": _tail(staff),
                "contact_on": to_datetime64(on),
                "booked_on": to_datetime64(rows["booked"].to_numpy(np.int32)),
                "mode": rows["mode"],
                "kind": rows["kind"],
                "outcome": rows["outcome"],
                "outcome_known_on": late,
                "known_on": known,
            }
        )

    def _paired(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Joins the pair linked by Encounter.appointment to one contact: the Appointment, with the fields that are
        more reliable in the Encounter.
        """
        visits = rows[rows["appointment"].notna()].drop_duplicates("appointment").set_index("appointment")
        place = pd.Series(np.arange(len(rows)), index=rows["key"].to_numpy(object))
        at = place[~place.index.duplicated()].reindex(visits.index).dropna().astype("int64")
        visits = visits.loc[at.index]
        if not len(visits):
            return rows
        same = rows["patient_id"].to_numpy(object)[at.to_numpy()] == visits["patient_id"].to_numpy(object)
        at, visits = at[same], visits[same]
        spot = at.to_numpy()
        for name in ("mode", "kind", "team", "staff"):
            values = rows[name].to_numpy(object).copy()
            theirs = visits[name].to_numpy(object)
            values[spot] = np.where(pd.isna(values[spot]), theirs, values[spot])
            rows[name] = values
        # A completed Encounter shows attendance, even if the Appointment was never closed.
        outcome = rows["outcome"].to_numpy(object).copy()
        seen = (visits["outcome"] == "attended").to_numpy(bool) & (outcome[spot] == "planned")
        outcome[spot[seen]] = "attended"
        late = rows["late"].to_numpy(np.int64).copy()
        late[spot[seen]] = visits["late"].to_numpy(np.int64)[seen]
        told_by = rows["late_source"].to_numpy(np.int32).copy()
        told_by[spot[seen]] = visits["source"].to_numpy(np.int32)[seen]
        rows["late_source"] = told_by
        rows["outcome"], rows["late"] = outcome, late
        self._mark(visits["source"].to_numpy(np.int32), f"{MERGED}its Appointment")
        return rows[~rows["key"].isin(set(visits["key"]))].reset_index(drop=True)

    def _stays(self) -> pd.DataFrame:
        rows = self._of_people("stay")
        admitted, discharged = rows["admitted"].to_numpy(np.int32), rows["discharged"].to_numpy(np.int32)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "admitted_on": to_datetime64(admitted),
                "discharged_on": to_datetime64(discharged),
                "method": rows["method"],
                "ward": rows["ward"],
                "legal_status": rows["legal"],
                "discharge_known_on": self._late("stays discharged", rows, discharged),
                "known_on": self._known("stays", rows, admitted, keys=rows["key"]),
            }
        )

    def _supplies(self) -> pd.DataFrame:
        rows = self._of_people("supply")
        frame, missed, unknown, not_given = supply_frames(rows, self.rows("medication"))
        self._mark(not_given, f"{LEFT_OUT}a dose that was not given, of a medicine that is no depot")
        self._mark(unknown, f"{ASIDE}the reference to the medicine leads nowhere or to one that is not known")
        self._missed = missed
        frame["known_on"] = self._known("supplies", frame, frame.pop("day").to_numpy(np.int32), keys=frame.pop("key"))
        return self._with_reversals(frame.drop(columns="business"))

    def _with_reversals(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Writes a withdrawn supply as two rows: the supply, and its reversal on the day on which it became known."""
        late = frame.pop("late").to_numpy(np.int32)
        back = (frame["status"] == "reversed").to_numpy(bool)
        frame["status"] = None
        if not back.any():
            return frame
        reversal = frame[back].assign(status="reversed")
        ledger = self.seen.of(reversal["source"].to_numpy(np.int32), late=True)
        reversal["known_on"] = to_datetime64(np.where(ledger == NO_DAY, late[back], ledger).astype(np.int32))
        return pd.concat([frame, reversal], ignore_index=True)

    def _results(self) -> pd.DataFrame:
        rows = self._of_people("result")
        taken = rows["day"].to_numpy(np.int32)
        value: pd.Series = rows["amount"]
        bounded = rows["comparator"].notna()
        if bounded.any():
            text = rows["comparator"][bounded].astype("str") + rows["amount"][bounded].astype("str")
            value = value.astype("object")
            value[bounded] = text
        worded = rows["words"].notna()
        if worded.any():
            value = value.astype("object")
            value[worded] = rows["words"][worded].astype("str")
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "test": rows["test"],
                "taken_on": to_datetime64(taken),
                "value": value,
                "unit": rows["unit"],
                "known_on": self._known("results", rows, taken),
            }
        )

    def _conditions(self) -> pd.DataFrame:
        rows = self._of_people("condition")
        on = rows["day"].to_numpy(np.int32)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "category": rows["category"],
                "system": rows["system"],
                "code": rows["code"],
                "label": rows["label"],
                "recorded_on": to_datetime64(on),
                "known_on": self._known("conditions", rows, on, keys=rows["key"]),
            }
        )

    def _circumstances(self) -> pd.DataFrame:
        rows = self._of_people("circumstance")
        on = rows["day"].to_numpy(np.int32)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "kind": rows["kind"],
                "value": rows["value"],
                "from_on": to_datetime64(on),
                "known_on": self._known("circumstances", rows, on),
            }
        )


def _latest(extract: Extract) -> npt.NDArray[np.bool_]:
    """True for each resource that is the latest version of its key and was not deleted. Earlier versions get their
    fate.
    """
    keys, versions = extract.keys, extract.versions
    live = np.ones(len(keys), bool)
    # Messages often have no version. Of equal versions, a withdrawal replaces the resource that it withdraws.
    withdrawn = np.array(["withdrawn" in word or "cancelled" in word for word in extract.fate_words])[extract.fates]
    order = np.lexsort((np.arange(len(keys)), withdrawn, versions, keys))
    earlier = order[:-1][keys[order[:-1]] == keys[order[1:]]]
    live[earlier] = False
    extract.fates[earlier] = extract.fate(REPLACED)
    if extract.deleted:
        import hashlib

        gone = np.array(
            [int.from_bytes(hashlib.blake2b(k.encode(), digest_size=8).digest(), "little") for k in extract.deleted],
            np.uint64,
        )
        deleted = np.isin(keys, gone) & live
        live &= ~deleted
        extract.fates[deleted] = extract.fate(f"{LEFT_OUT}deleted")
    return live


def _tail(keys: pd.Series) -> pd.Series:
    """The id in ``Type/id``, as text."""
    text = pa.array(keys, from_pandas=True)
    if pa.types.is_dictionary(text.type):
        text = text.cast(pa.string())
    if pa.types.is_null(text.type):
        return pd.Series([None] * len(keys), dtype="str")
    return pd.Series(pc.replace_substring_regex(text, r"^[A-Za-z]+/", ""), dtype="str")


__all__ = ["Linked", "Linking", "Seen"]
