"""Converts an extract to our tables: resolves references to people, teams and medicines, joins an appointment and its
encounter to one contact, and dates when each row became known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY, to_datetime64
from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.linking.identity import People, link_people
from features.records.sources.fhir.linking.live import live_resources
from features.records.sources.fhir.linking.slices import ROWS, DayByKey, joined, packed, slices_of
from features.records.sources.fhir.linking.supplies import supply_frames
from features.records.sources.fhir.references import key_hashes
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MERGED

Days = npt.NDArray[np.int32]
Sources = npt.NDArray[np.int32]
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
        self.live = live_resources(extract)
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
        put("stays", self._each("stay", self._stays))
        put("results", self._results())
        put("conditions", self._each("condition", self._conditions))
        put("circumstances", self._each("circumstance", self._circumstances))
        frames["teams"], origins["teams"] = self._named_teams(frames, origins["teams"])
        return Linked(frames, origins, self.clocks)

    def rows(self, name: str) -> pd.DataFrame:
        """Rows of one table, without resources that a later version replaced."""
        return self._live_rows(self.extract.tables[name].unify_dictionaries())

    def _live_rows(self, table: pa.Table) -> pd.DataFrame:
        if not len(table):
            return table.to_pandas()
        kept = self.live[table["source"].to_numpy()]
        return (table if kept.all() else table.filter(pa.array(kept))).to_pandas()

    def _taken(self, name: str) -> Iterator[pd.DataFrame]:
        """The same in slices. The extract no longer holds the table."""
        return map(self._live_rows, slices_of(self.extract.tables.pop(name)))

    def _keys(self, rows: pd.DataFrame) -> npt.NDArray[np.uint64]:
        """The hashed key of the resource of each row."""
        return self.extract.keys[rows["source"].to_numpy(np.int32)]

    def _mark(self, sources: npt.NDArray[np.int32], fate: str) -> None:
        self.extract.fates[sources] = self.extract.fate(fate)

    def _of_people(self, name: str) -> Iterator[pd.DataFrame]:
        """Rows of a table with the id of their person, in slices. After the last slice, a resource is set aside if no
        person was found for its reference.
        """
        nobody: list[Sources] = []
        nowhere: list[Sources] = []
        for rows in self._taken(name):
            ids = self.people.ids_of(rows["subject"])
            lost = ids.isna().to_numpy()
            if lost.any():
                unnamed = rows["subject"].isna().to_numpy()
                nobody.append(rows["source"].to_numpy()[lost & unnamed])
                nowhere.append(rows["source"].to_numpy()[lost & ~unnamed])
            rows["patient_id"] = ids
            yield rows[~lost].reset_index(drop=True)
        if nobody:
            self._mark(np.concatenate(nobody), f"{ASIDE}no person is named")
            self._mark(np.concatenate(nowhere), f"{ASIDE}the reference to the person leads nowhere")

    def _each(self, name: str, make: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
        """What ``make`` makes of each slice of a table, joined."""
        return joined([packed(make(rows)) for rows in self._of_people(name)])

    def _provenance(self) -> tuple[DayByKey, DayByKey]:
        """The first creation and the last update that a Provenance records, by resource."""
        keys, days, created = [], [], []
        for rows in self._taken("provenance"):
            words = rows["key"].astype("category")
            keys.append(key_hashes(words.cat.categories)[words.cat.codes.to_numpy()])
            days.append(rows["recorded"].to_numpy(np.int32))
            created.append((rows["activity"] == "CREATE").to_numpy(bool))
        key, day, new = np.concatenate(keys), np.concatenate(days), np.concatenate(created)
        return DayByKey.earliest(key[new], day[new]), DayByKey.latest(key[~new], day[~new])

    def _known(
        self, name: str, rows: pd.DataFrame, event: Days, *, provenance: bool = True, ahead: bool = False
    ) -> npt.NDArray[np.datetime64]:
        """The day on which each row became known: the ledger's day, or the day that the resource gives. Missing where
        the usual delay is applied later. ``ahead`` rows (bookings) may be known before they happen.
        """
        source = rows["source"].to_numpy(np.int32)
        ledger = self.seen.of(source)
        business = rows["business"].to_numpy(np.int32) if "business" in rows else np.full(len(rows), NO_DAY, np.int32)
        if provenance and len(self.created):
            recorded = self.created.of(self._keys(rows), NO_DAY)
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
        if len(self.updated):
            said = self.updated.of(self._keys(rows), -1).astype(np.int64)
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
        recorded = self.created.of(key_hashes(rows["person"]), NO_DAY)
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
        rows = joined(map(packed, self._of_people("referral")))
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
                "known_on": self._known("referrals", rows, opened),
            }
        )

    def _contacts(self) -> pd.DataFrame:
        missed = self._missed
        parts = [packed(self._contact_rows(rows)) for rows in self._of_people("contact")]
        rows = paired = self._paired(joined([*parts, packed(self._contact_rows(missed))]))
        roles = self.rows("role").drop_duplicates("key").set_index("key")
        made = (paired[at : at + ROWS].reset_index(drop=True) for at in range(0, max(len(rows), 1), ROWS))
        return joined([packed(self._contacts_of(rows, roles)) for rows in made])

    def _contact_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows without the texts that only link them: the key of the Appointment is hashed, 0 for none."""
        words = rows["appointment"].astype("category")
        hashes = np.r_[key_hashes(words.cat.categories), np.uint64(0)]
        names = ("patient_id", "team", "staff", "mode", "kind", "outcome")
        return pd.DataFrame(
            {
                "source": rows["source"],
                "late_source": rows["source"],
                "contact_id": _tail(rows["key"]),
                "appointment": hashes[words.cat.codes.to_numpy()],
                **{name: rows[name].astype("str").astype("category") for name in names},
                **{name: rows[name].astype("int32") for name in ("day", "booked", "late", "business")},
            }
        )

    def _contacts_of(self, rows: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
        staff = rows["staff"].astype("str")
        if len(roles):
            team = staff.map(roles["organization"].astype("str"))
            rows["team"] = rows["team"].astype("str").fillna(team)
            staff = staff.map(roles["practitioner"].astype("str")).fillna(staff)
        on = rows["day"].to_numpy(np.int32)
        ahead = rows["booked"].to_numpy(np.int64) != NO_DAY
        planned = (rows["outcome"] == "planned").to_numpy(bool)
        known = self._known("contacts", rows, on, ahead=True)
        known = np.where(ahead | planned | np.isnat(known), known, np.maximum(known, to_datetime64(on)))
        event = np.where(planned, NO_DAY, on).astype(np.int32)
        cancelled = rows["outcome"].str.startswith("cancelled").to_numpy(bool)
        late = self._late("contacts outcome", rows, event)
        early = self.seen.of(rows["source"].to_numpy(np.int32), late=True)
        late = np.where(cancelled & (early != NO_DAY), to_datetime64(early), late)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"].astype("str"),
                "contact_id": rows["contact_id"],
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
        keys, wanted = self._keys(rows), rows["appointment"].to_numpy(np.uint64)
        visits = np.flatnonzero(wanted)
        visits = visits[np.sort(np.unique(wanted[visits], return_index=True)[1])]
        order = np.argsort(keys, kind="stable")
        found = np.minimum(np.searchsorted(keys[order], wanted[visits]), max(len(keys) - 1, 0))
        spots = order[found] if len(visits) else visits
        person = rows["patient_id"].cat.codes.to_numpy()
        same = (keys[spots] == wanted[visits]) & (person[spots] == person[visits])
        spots, visits = spots[same], visits[same]
        if not len(visits):
            return rows
        for name in ("mode", "kind", "team", "staff"):
            codes = rows[name].cat.codes.to_numpy().copy()
            codes[spots] = np.where(codes[spots] < 0, codes[visits], codes[spots])
            rows[name] = pd.Categorical.from_codes(codes, categories=rows[name].cat.categories)
        # A completed Encounter shows attendance, even if the Appointment was never closed.
        outcome = rows["outcome"]
        seen = (outcome == "attended").to_numpy(bool)[visits] & (outcome == "planned").to_numpy(bool)[spots]
        for name in ("outcome", "late", "late_source"):
            values = rows[name].array.copy()
            values[spots[seen]] = values[visits[seen]]
            rows[name] = values
        self._mark(rows["source"].to_numpy(np.int32)[visits], f"{MERGED}its Appointment")
        return rows[~np.isin(keys, keys[visits])].reset_index(drop=True)

    def _stays(self, rows: pd.DataFrame) -> pd.DataFrame:
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
                "known_on": self._known("stays", rows, admitted),
            }
        )

    def _supplies(self) -> pd.DataFrame:
        medications = self.rows("medication")
        made: list[pa.Table] = []
        reversals: list[pa.Table] = []
        missed: list[pa.Table] = []
        unknown: list[Sources] = []
        not_given: list[Sources] = []
        for rows in self._of_people("supply"):
            frame, contacts, *lost = supply_frames(rows, medications)
            frame["known_on"] = self._known("supplies", frame, frame.pop("day").to_numpy(np.int32))
            frame, back = self._with_reversals(frame.drop(columns=["business", "key"]))
            made.append(packed(frame))
            reversals.append(packed(back))
            missed.append(packed(contacts))
            unknown.append(lost[0])
            not_given.append(lost[1])
        self._mark(np.concatenate(not_given), f"{LEFT_OUT}a dose that was not given, of a medicine that is no depot")
        self._mark(
            np.concatenate(unknown), f"{ASIDE}the reference to the medicine leads nowhere or to one that is not known"
        )
        self._missed = joined(missed)
        return joined([*made, *reversals])

    def _with_reversals(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The supplies, and the reversal of each withdrawn one on the day on which that became known."""
        late = frame.pop("late").to_numpy(np.int32)
        back = (frame["status"] == "reversed").to_numpy(bool)
        frame["status"] = None
        reversal = frame[back].assign(status="reversed")
        ledger = self.seen.of(reversal["source"].to_numpy(np.int32), late=True)
        reversal["known_on"] = to_datetime64(np.where(ledger == NO_DAY, late[back], ledger).astype(np.int32))
        return frame, reversal

    def _results(self) -> pd.DataFrame:
        frame = self._each("result", self._results_of)
        text = frame.pop("text")
        if text.notna().any():
            frame["value"] = frame["value"].astype("object").mask(text.notna(), text.astype("object"))
        return frame

    def _results_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        taken = rows["day"].to_numpy(np.int32)
        bound = rows["comparator"].astype("str") + rows["amount"].astype("str")
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "test": rows["test"],
                "taken_on": to_datetime64(taken),
                "value": rows["amount"],
                "text": rows["words"].astype("str").fillna(bound),
                "unit": rows["unit"],
                "known_on": self._known("results", rows, taken, provenance=False),
            }
        )

    def _conditions(self, rows: pd.DataFrame) -> pd.DataFrame:
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
                "known_on": self._known("conditions", rows, on),
            }
        )

    def _circumstances(self, rows: pd.DataFrame) -> pd.DataFrame:
        on = rows["day"].to_numpy(np.int32)
        return pd.DataFrame(
            {
                "source": rows["source"],
                "patient_id": rows["patient_id"],
                "kind": rows["kind"],
                "value": rows["value"],
                "from_on": to_datetime64(on),
                "known_on": self._known("circumstances", rows, on, provenance=False),
            }
        )


def _tail(keys: pd.Series) -> pd.Series:
    """The id in ``Type/id``, as text."""
    text = pa.array(keys, from_pandas=True)
    if pa.types.is_dictionary(text.type):
        text = text.cast(pa.string())
    if pa.types.is_null(text.type):
        return pd.Series([None] * len(keys), dtype="str")
    return pd.Series(pc.replace_substring_regex(text, r"^[A-Za-z]+/", ""), dtype="str")


__all__ = ["Linked", "Linking", "Seen"]
