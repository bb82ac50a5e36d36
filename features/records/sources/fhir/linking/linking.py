"""Converts an extract to our tables: resolves references to people, teams and medicines, joins an appointment and its
encounter to one contact, and dates when each row became known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.records.days import NO_DAY, to_datetime64
from features.records.reading.column_table import Frame
from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.linking.clocks import Clocks, Seen, days_of_provenance
from features.records.sources.fhir.linking.contacts import Links
from features.records.sources.fhir.linking.identity import People, link_people
from features.records.sources.fhir.linking.live import heads_without_a_result, live_resources
from features.records.sources.fhir.linking.shelf import Shelf, Shelved
from features.records.sources.fhir.linking.slices import joined, packed, slices_of
from features.records.sources.fhir.linking.supplies import supply_frames
from features.records.sources.fhir.references import key_hashes
from features.records.sources.fhir.rows.clinical import NO_VALUE, NOT_DONE
from features.records.sources.fhir.sink import ASIDE, LEFT_OUT, MERGED

Sources = npt.NDArray[np.int32]


@dataclass
class Linked:
    """``frames`` as ``Records.from_frames`` takes them; ``origins`` holds the resource of every row of each table. Long
    tables are in files of the extract's ``scratch``, and are read by column. ``clocks`` counts the rows of each table
    by the rule that dated when they became known.
    """

    frames: dict[str, Frame]
    origins: dict[str, Sources]
    clocks: dict[str, dict[str, int]] = field(default_factory=dict)


class Linking:
    """One pass over an extract's tables."""

    def __init__(self, extract: Extract, seen: Seen, last_day: int) -> None:
        self.extract = extract
        self.seen = seen
        self.last_day = last_day
        self.live = live_resources(extract)
        created, updated = days_of_provenance(self._taken("provenance"))
        self.clocks = Clocks(extract.keys, seen, created, updated)
        tables = (self.rows(name) for name in ("patient", "identifier", "same_person"))
        self.people: People = link_people(extract, *tables)
        self.shelf = Shelf(extract.scratch)
        self.frames: dict[str, Frame] = {}
        self.origins: dict[str, Sources] = {}

    def run(self) -> Linked:
        self._put("patients", self._patients())
        self._put("teams", self._teams())
        self._put("referrals", self._referrals())
        self._keep("supplies", self._supplies())
        self._keep("contacts", self._contacts())
        self._keep("stays", self._each("stay", self._stays))
        self.empty_heads = heads_without_a_result(self.extract, self.rows("member"), (NOT_DONE, NO_VALUE))
        self._mark(self.empty_heads, NOT_DONE)
        results = self._keep("results", self._each("result", self._results))
        self.frames["results"] = results.given(partial(_value_of_result, results), without=("text",))
        self._keep("conditions", self._each("condition", self._conditions))
        self._keep("circumstances", self._each("circumstance", self._circumstances))
        self._leave_out_teams_that_nobody_names()
        return Linked(self.frames, self.origins, self.clocks.counts)

    def _put(self, name: str, frame: pd.DataFrame) -> None:
        self.origins[name] = frame.pop("source").to_numpy(np.int32)
        self.frames[name] = frame.reset_index(drop=True)

    def _keep(self, name: str, parts: Iterator[pa.Table]) -> Shelved:
        """Keeps a long table part by part as it is made."""
        kept = self.shelf.keep(name, parts)
        self.origins[name] = kept.sources()
        self.frames[name] = kept.given()
        return kept

    def rows(self, name: str) -> pd.DataFrame:
        """Rows of one table, without resources that a later version replaced."""
        pieces = [piece.read() for piece in self.extract.tables[name]]
        return self._live_rows(pa.concat_tables(pieces).unify_dictionaries())

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

    def _each(self, name: str, make: Callable[[pd.DataFrame], pd.DataFrame]) -> Iterator[pa.Table]:
        """What ``make`` makes of each slice of a table."""
        return (packed(make(rows)) for rows in self._of_people(name))

    def _patients(self) -> pd.DataFrame:
        rows = self.people.rows
        columns = self.rows("condition")
        ids = self.people.ids_of(columns["subject"])
        died = np.where(rows["died_on"] == NO_DAY - 1, self.last_day, rows["died_on"]).astype(np.int32)
        recorded = self.clocks.created.of(key_hashes(rows["person"]), NO_DAY)
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

    def _leave_out_teams_that_nobody_names(self) -> None:
        """Keeps the teams that a referral or a contact names, and no other organisation of the extract."""
        named = {team for name in ("referrals", "contacts") for team in self.frames[name]["team_id"].dropna().unique()}
        teams = self.frames["teams"]
        assert isinstance(teams, pd.DataFrame)
        kept = teams["team_id"].isin(named).to_numpy()
        self.frames["teams"], self.origins["teams"] = teams[kept].reset_index(drop=True), self.origins["teams"][kept]

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
                "closed_known_on": self.clocks.late("referrals closed", rows, closed),
                "known_on": self.clocks.known("referrals", rows, opened),
            }
        )

    def _contacts(self) -> Iterator[pa.Table]:
        links = Links()
        whole = self.shelf.keep("contact", self._unpaired(links))
        pairs = links.pairs()
        del links
        encounters = pairs.encounters(whole)
        if encounters is not None:
            self._mark(encounters["source"].to_numpy(), f"{MERGED}its Appointment")
        roles = self.rows("role").drop_duplicates("key").set_index("key")
        for rows in pairs.joined(whole, encounters):
            yield packed(self._contacts_of(rows, roles))

    def _unpaired(self, links: Links) -> Iterator[pa.Table]:
        """Appointments and Encounters one by one. ``links`` takes what joins them."""
        for rows in itertools.chain(self._of_people("contact"), [self._missed]):
            links.add(rows, self._keys(rows))
            yield packed(self._contact_rows(rows))

    def _contact_rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows without the texts that only link them."""
        names = ("patient_id", "team", "staff", "mode", "kind", "outcome")
        return pd.DataFrame(
            {
                "source": rows["source"].astype("int32"),
                "late_source": rows["source"].astype("int32"),
                "contact_id": _tail(rows["key"]),
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
        known = self.clocks.known("contacts", rows, on, ahead=True)
        known = np.where(ahead | planned | np.isnat(known), known, np.maximum(known, to_datetime64(on)))
        event = np.where(planned, NO_DAY, on).astype(np.int32)
        cancelled = rows["outcome"].str.startswith("cancelled").to_numpy(bool)
        late = self.clocks.late("contacts outcome", rows, event)
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
                "discharge_known_on": self.clocks.late("stays discharged", rows, discharged),
                "known_on": self.clocks.known("stays", rows, admitted),
            }
        )

    def _supplies(self) -> Iterator[pa.Table]:
        """Supplies in slices, the reversals of withdrawn ones last. Keeps contacts at which a depot was not given."""
        medications = self.rows("medication")
        reversals: list[pa.Table] = []
        missed: list[pa.Table] = []
        unknown: list[Sources] = []
        not_given: list[Sources] = []
        for rows in self._of_people("supply"):
            frame, contacts, *lost = supply_frames(rows, medications)
            frame["known_on"] = self.clocks.known("supplies", frame, frame.pop("day").to_numpy(np.int32))
            frame, back = self._with_reversals(frame.drop(columns=["business", "key"]))
            yield packed(frame)
            reversals.append(packed(back))
            missed.append(packed(contacts))
            unknown.append(lost[0])
            not_given.append(lost[1])
        self._mark(np.concatenate(not_given), f"{LEFT_OUT}a dose that was not given, of a medicine that is no depot")
        self._mark(
            np.concatenate(unknown), f"{ASIDE}the reference to the medicine leads nowhere or to one that is not known"
        )
        self._missed = joined(missed)
        yield from reversals

    def _with_reversals(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The supplies, and the reversal of each withdrawn one on the day on which that became known."""
        late = frame.pop("late").to_numpy(np.int32)
        back = (frame["status"] == "reversed").to_numpy(bool)
        frame["status"] = None
        reversal = frame[back].assign(status="reversed")
        ledger = self.seen.of(reversal["source"].to_numpy(np.int32), late=True)
        reversal["known_on"] = to_datetime64(np.where(ledger == NO_DAY, late[back], ledger).astype(np.int32))
        return frame, reversal

    def _results(self, rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows[~np.isin(rows["source"].to_numpy(np.int32), self.empty_heads)].reset_index(drop=True)
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
                "known_on": self.clocks.known("results", rows, taken),
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
                "known_on": self.clocks.known("conditions", rows, on),
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
                "known_on": self.clocks.known("circumstances", rows, on),
            }
        )


def _value_of_result(results: Shelved, name: str) -> pd.Series:
    """A column of results; a value that is no number is the text as written."""
    column = results.column(name)
    if name != "value":
        return column
    text = results.column("text")
    return column.astype("object").mask(text.notna(), text.astype("object")) if text.notna().any() else column


def _tail(keys: pd.Series) -> pd.Series:
    """The id in ``Type/id``, as text."""
    text = pa.array(keys, from_pandas=True)
    if pa.types.is_dictionary(text.type):
        text = text.cast(pa.string())
    if pa.types.is_null(text.type):
        return pd.Series([None] * len(keys), dtype="str")
    return pd.Series(pc.replace_substring_regex(text, r"^[A-Za-z]+/", ""), dtype="str")


__all__ = ["Linked", "Linking", "Seen"]
