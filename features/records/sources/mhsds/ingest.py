"""``ingest``: reads MHSDS submissions into a store, and accounts for every row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY, to_datetime64
from features.records.problems import RecordsError, RecordsProblem, withdrawn_lines
from features.records.reading.nhs_numbers import NhsKey, is_one, looks_like_one
from features.records.records import Records
from features.records.sources.accounting import ASIDE, Account
from features.records.sources.fhir.codebook import load_codebook
from features.records.sources.fhir.resources import CodeableConcept, Coding
from features.records.sources.mhsds.folder import Submissions, days_of, meaning_of, open_submissions, rows_of
from features.records.withdrawn import replace_store

USUAL_DELAY_DAYS = 45
"""Days after which an event before the first submission is taken as known [J]."""
CANNOT_GIVE = (
    "bookings: a contact after the reporting period is rejected (MHS20168), so no appointment ahead is known",
    "medicines: MHS107 has no rule and is hardly used; add them from ePMA, EPS or the GP with --into",
    "results of blood tests: only what MHS202 and MHS606 carry",
)
REPEATED = "merged into its latest submission"


def read_mhsds(
    folder: str | Path, *, nhs_key: NhsKey | None = None
) -> tuple[dict[str, pd.DataFrame], Account, Submissions]:
    """Our tables, the account of every row, and the submissions they came from. Raises RecordsError."""
    found = open_submissions(folder)
    reading = _MhsdsReading(found, nhs_key)
    return reading.run(), reading.account, found


class _MhsdsReading:
    """One pass over the tables of all submissions."""

    def __init__(self, found: Submissions, nhs_key: NhsKey | None) -> None:
        self.found, self.nhs_key = found, nhs_key
        self.account = Account()
        self.codes: dict[str, dict[str, str]] = {}
        for row in rows_of("codes"):
            self.codes.setdefault(row["list"], {})[row["code"]] = row["meaning"]
        for name, table in found.tables.items():
            self.account.open(name, len(table))
        for name, rows in found.not_read.items():
            self.account.open(name, rows)
        self.account.mark(
            "MHS000Header", np.arange(len(found.tables["MHS000Header"])), "used as period and second clock"
        )

    def run(self) -> dict[str, pd.DataFrame]:
        people = self._people()
        referrals = self._referrals()
        return {
            "patients": people,
            "teams": self._teams(),
            "referrals": referrals,
            "contacts": self._contacts(),
            "stays": self._stays(),
            "conditions": self._conditions(),
            "circumstances": self._circumstances(),
            "supplies": pd.DataFrame(
                {"patient_id": pd.Series(dtype="str"), "medicine": pd.Series(dtype="str"), "supplied_on": []}
            ),
            "results": pd.DataFrame(
                {"patient_id": pd.Series(dtype="str"), "test": pd.Series(dtype="str"), "taken_on": []}
            ),
        }

    def table(self, name: str, *columns: str) -> pd.DataFrame:
        """A table with these columns. A column that the version does not have is all missing."""
        found = self.found.tables.get(name, pd.DataFrame({"created": [], "period_start": []}))
        return found.assign(**{c: pd.Series(None, index=found.index, dtype="str") for c in columns if c not in found})

    def latest(self, name: str, table: pd.DataFrame, *keys: str) -> pd.DataFrame:
        """The latest row of each key. ``first_created`` and ``first_period`` come from the first row of that key."""
        known = table[list(keys)].notna().all(axis=1)
        if not known.all():
            self.account.mark(name, table.index[~known], f"{ASIDE}no {' or '.join(keys)}")
        table = table[known]
        last = ~table.duplicated(list(keys), keep="last")
        if len(table):
            self.account.mark(name, table.index[~last], REPEATED)
        first = table.drop_duplicates(list(keys)).set_index(list(keys))
        kept = table[last].copy()
        at = pd.MultiIndex.from_frame(kept[list(keys)]) if len(keys) > 1 else pd.Index(kept[keys[0]])
        kept["first_created"] = first["created"].reindex(at).to_numpy()
        kept["first_period"] = first["period_start"].reindex(at).to_numpy()
        return kept

    def known(self, table: pd.DataFrame, event: npt.NDArray[np.int32]) -> npt.NDArray[np.datetime64]:
        """The day on which rows became known: the day of the submission in which they first appeared. An event before
        the first period became known 45 days after it.
        """
        created = table["first_created"].to_numpy(np.int64)
        before = event < table["first_period"].to_numpy(np.int64)
        opening = int(self.found.tables["MHS000Header"]["created"].min())
        old = before & (created == opening) & (event != NO_DAY)
        day = np.where(old, np.minimum(event.astype(np.int64) + USUAL_DELAY_DAYS, created), created)
        return to_datetime64(np.maximum(day, np.where(event == NO_DAY, -(2**30), event)).astype(np.int32))

    def words(self, name: str, values: pd.Series, *, or_as_written: bool = False) -> pd.Series:
        """What codes mean, also in lower case and without the zero before them. A code that no table holds is missing,
        or stays ``or_as_written``, so that the checks of the records name it and keep it with the person.
        """
        codes = {str(code): meaning_of(self.codes[name], str(code)) for code in values.dropna().unique()}
        if or_as_written:
            codes = {code: meant or code for code, meant in codes.items()}
        return values.map(codes).astype("str")

    def _ids(self, table: pd.DataFrame) -> pd.Series:
        return table["LocalPatientID"].map(self.person).astype("str")

    def _people(self) -> pd.DataFrame:
        columns = ("LocalPatientID", "NHSNumber", "PersonBirthDate", "Gender", "EthnicCategory", "PersDeathDate")
        table = self.latest("MHS001MPI", self.table("MHS001MPI", *columns), "LocalPatientID")
        numbers = table["NHSNumber"].fillna("")
        local = table["LocalPatientID"]
        if sum(map(looks_like_one, local)):
            raise RecordsError(
                [
                    RecordsProblem(
                        "MHSDS MHS001MPI", "local patient ids are NHS numbers", "the trust's own ids", "ask for them"
                    )
                ]
            )
        names = {
            mine: self.nhs_key.pseudonym(number) if self.nhs_key is not None and is_one(number) else mine
            for mine, number in zip(local, numbers, strict=True)
        }
        self.person: dict[str, str] = names
        # A recorded death is kept, even if a later submission no longer holds it.
        deaths = self.table("MHS001MPI", "PersDeathDate").dropna(subset=["PersDeathDate"])
        died = deaths.drop_duplicates("LocalPatientID", keep="last").set_index("LocalPatientID")["PersDeathDate"]
        marks = None
        if "MHS005PatInd" in self.found.tables:
            marks = self.table("MHS005PatInd", "LocalPatientID", "LDStatus", "AutismStatus")
            marks = self.latest("MHS005PatInd", marks, "LocalPatientID").set_index("LocalPatientID")
        if marks is not None:
            self.account.mark("MHS005PatInd", self.found.tables["MHS005PatInd"].index, "used as columns of patients")
        frame = pd.DataFrame(
            {
                "patient_id": local.map(names),
                "birth_date": table["PersonBirthDate"],
                "sex": self.words("gender", table["Gender"], or_as_written=True),
                "ethnicity": self.words("ethnicity", table["EthnicCategory"]),
                "died_on": local.map(died),
                "learning_disability": None if marks is None else local.map(self.words("three_way", marks["LDStatus"])),
                "autism": None if marks is None else local.map(self.words("three_way", marks["AutismStatus"])),
            }
        )
        twice = frame.duplicated("patient_id")
        self.account.mark("MHS001MPI", table.index[twice], "merged into the same person")
        self.account.came_from("patients", "MHS001MPI", table.index[~twice])
        return frame[~twice].reset_index(drop=True)

    def _teams(self) -> pd.DataFrame:
        name = "MHS902ServiceTeamDetails"
        table = self.latest(name, self.table(name, "CareProfTeamLocalID", "ServTeamTypeMH"), "CareProfTeamLocalID")
        if name in self.account.fates:
            self.account.came_from("teams", name, table.index)
        return pd.DataFrame(
            {"team_id": table["CareProfTeamLocalID"], "name": None, "kind": table["ServTeamTypeMH"]}
        ).reset_index(drop=True)

    def _referrals(self) -> pd.DataFrame:
        name = "MHS101Referral"
        whole = self.table(name, "ServiceRequestID", "LocalPatientID", "CareProfTeamLocalID", "ServDischDate",
                           "ReferralRequestReceivedDate", "ReferClosReason", "ReferRejectionDate")  # fmt: skip
        table = self.latest(name, whole, "ServiceRequestID")
        self.referral_person = dict(zip(table["ServiceRequestID"], table["LocalPatientID"], strict=True))
        self.referral_team = dict(zip(table["ServiceRequestID"], table["CareProfTeamLocalID"], strict=True))
        rejected = table["ReferRejectionDate"].notna()
        self.account.mark(name, table.index[rejected], "left out: the referral was rejected")
        teamless = table["CareProfTeamLocalID"].isna() & ~rejected
        self.account.mark(name, table.index[teamless], "left out: a referral to no team")
        table = table[~rejected & ~teamless]
        closed = days_of(table["ServDischDate"])
        first_closed = whole.dropna(subset=["ServDischDate"]).drop_duplicates("ServiceRequestID")
        said = table["ServiceRequestID"].map(first_closed.set_index("ServiceRequestID")["created"])
        late = np.where(closed == NO_DAY, NO_DAY, np.maximum(said.fillna(-(2**30)).to_numpy(np.int64), closed))
        reason = self.words("close", table["ReferClosReason"])
        open_still = (closed == NO_DAY) & (reason != "died").to_numpy()  # a death counts without its day too
        unknown = (closed != NO_DAY) & reason.isna().to_numpy()
        if unknown.any():
            self.account.notes["MHS101Referral: closed for a reason that is not known; read as other"] += int(
                unknown.sum()
            )
        self.account.came_from("referrals", name, table.index)
        return pd.DataFrame(
            {
                "patient_id": self._ids(table),
                "referral_id": table["ServiceRequestID"],
                "team_id": table["CareProfTeamLocalID"],
                "opened_on": table["ReferralRequestReceivedDate"],
                "closed_on": table["ServDischDate"],
                "close_reason": reason.mask(unknown, "other").mask(open_still),
                "closed_known_on": to_datetime64(late.astype(np.int32)),
                "known_on": self.known(table, days_of(table["ReferralRequestReceivedDate"])),
            }
        ).reset_index(drop=True)

    def _contacts(self) -> pd.DataFrame:
        name = "MHS201CareContact"
        table = self.table(name, "CareContactID", "ServiceRequestID", "CareContDate", "AttendStatus", "ConsMechanismMH",
                           "CareContSubj", "OtherCareProfTeamLocalID")  # fmt: skip
        table = self.latest(name, table, "CareContactID")
        person = table["ServiceRequestID"].map(self.referral_person)
        lost = person.isna()
        outcome = self.words("attend", table["AttendStatus"], or_as_written=True)
        if name in self.account.fates:
            self.account.mark(name, table.index[lost], f"{ASIDE}the referral is in no submission")
        table, person, outcome = table[~lost], person[~lost], outcome[~lost]
        reviewed = self._reviews()
        kind = self.words("subject", table["CareContSubj"])
        kind = kind.where(kind != "").mask(table["CareContactID"].isin(reviewed), "medicines_review")
        on = days_of(table["CareContDate"])
        if name in self.account.fates:
            self.account.came_from("contacts", name, table.index)
        known = self.known(table, on)
        return pd.DataFrame(
            {
                "patient_id": person.map(self.person).astype("str"),
                "contact_id": table["CareContactID"],
                "team_id": table["OtherCareProfTeamLocalID"].fillna(table["ServiceRequestID"].map(self.referral_team)),
                "contact_on": table["CareContDate"],
                "mode": self.words("mode", table["ConsMechanismMH"], or_as_written=True),
                "kind": kind,
                "outcome": outcome,
                "outcome_known_on": known,
                "known_on": known,
            }
        ).reset_index(drop=True)

    def _reviews(self) -> set[str]:
        """Contacts at which a medicines review was done (MHS202 Procedure)."""
        name = "MHS202CareActivity"
        table = self.table(name, "CareContactID", "Procedure")
        hit = table["Procedure"].isin(list(self.codes["procedure"]))
        if name in self.account.fates:
            self.account.mark(name, table.index[hit], "used as kind of a contact")
            self.account.mark(name, table.index[~hit], "not mapped: no procedure, or one that is not in the mapping")
        return set(table["CareContactID"][hit])

    def _stays(self) -> pd.DataFrame:
        name = "MHS501HospProvSpell"
        whole = self.table(name, "HospProvSpellID", "ServiceRequestID", "StartDateHospProvSpell",
                           "DischDateHospProvSpell", "MethAdmMHHospProvSpell")  # fmt: skip
        table = self.latest(name, whole, "HospProvSpellID")
        person = table["ServiceRequestID"].map(self.referral_person)
        lost = person.isna()
        if name in self.account.fates:
            self.account.mark(name, table.index[lost], f"{ASIDE}the referral is in no submission")
            self.account.came_from("stays", name, table.index[~lost])
        table, person = table[~lost], person[~lost]
        wards = self.table("MHS502WardStay", "HospProvSpellID", "MHAdmittedPatientClass", "StartDateWardStay")
        if len(wards):
            self.account.mark("MHS502WardStay", wards.index, "used as ward of a stay")
        ward = wards.sort_values("StartDateWardStay", kind="stable").drop_duplicates("HospProvSpellID")
        ward_of = dict(zip(ward["HospProvSpellID"], self.words("ward", ward["MHAdmittedPatientClass"]), strict=True))
        admitted, discharged = days_of(table["StartDateHospProvSpell"]), days_of(table["DischDateHospProvSpell"])
        first_out = whole.dropna(subset=["DischDateHospProvSpell"]).drop_duplicates("HospProvSpellID")
        said = table["HospProvSpellID"].map(first_out.set_index("HospProvSpellID")["created"])
        late = np.where(discharged == NO_DAY, NO_DAY, np.maximum(said.fillna(-(2**30)).to_numpy(np.int64), discharged))
        return pd.DataFrame(
            {
                "patient_id": person.map(self.person).astype("str"),
                "admitted_on": table["StartDateHospProvSpell"],
                "discharged_on": table["DischDateHospProvSpell"],
                "method": self.words("method", table["MethAdmMHHospProvSpell"]).fillna("unknown"),
                "ward": table["HospProvSpellID"].map(ward_of).astype("str").fillna("unknown"),
                "legal_status": self._legal(person, admitted),
                "discharge_known_on": to_datetime64(late.astype(np.int32)),
                "known_on": self.known(table, admitted),
            }
        ).reset_index(drop=True)

    def _legal(self, person: pd.Series, admitted: npt.NDArray[np.int32]) -> list[str]:
        """The legal status of each stay, from the latest legal status period that began on or before the day of
        admission and had not ended. Without such a period the stay is informal, if the submissions hold any periods.
        """
        name = "MHS401MHActPeriod"
        table = self.table(name, "MHActLegalStatusClassPeriodID", "LocalPatientID", "StartDateMHActLegalStatusClass",
                           "EndDateMHActLegalStatusClass", "LegalStatusCode")  # fmt: skip
        if not len(table):
            return ["unknown"] * len(person)
        table = self.latest(name, table, "MHActLegalStatusClassPeriodID")
        self.account.mark(name, table.index, "used as legal status of a stay")
        periods: dict[str, list[tuple[int, int, str]]] = {}
        starts, ends = days_of(table["StartDateMHActLegalStatusClass"]), days_of(table["EndDateMHActLegalStatusClass"])
        status = self.words("legal", table["LegalStatusCode"]).fillna("unknown")
        for who, start, end, word in zip(table["LocalPatientID"], starts, ends, status, strict=True):
            periods.setdefault(who, []).append((int(start), int(end), word))
        found = []
        for who, day in zip(person, admitted.tolist(), strict=True):
            fit = [p for p in sorted(periods.get(who, ())) if p[0] <= day and day <= p[1]]
            found.append(fit[-1][2] if fit else "informal")
        return found

    def _conditions(self) -> pd.DataFrame:
        book = load_codebook()
        parts = []
        for name, column in (("MHS604PrimDiag", "PrimDiag"), ("MHS605SecDiag", "SecDiag")):
            table = self.table(name, "ServiceRequestID", column, "DiagSchemeInUse", "CodedDiagTimestamp")
            if not len(table):
                continue
            table = self.latest(name, table, "ServiceRequestID", column, "CodedDiagTimestamp")
            urls = {"icd10": "http://hl7.org/fhir/sid/icd-10", "snomed": "http://snomed.info/sct"}
            hits = [
                book.diagnosis(
                    CodeableConcept(coding=[Coding(system=urls.get(self.codes["scheme"].get(s, ""), ""), code=c)])
                )
                for s, c in zip(table["DiagSchemeInUse"].fillna(""), table[column], strict=True)
            ]
            person = table["ServiceRequestID"].map(self.referral_person)
            good = (
                np.array([hit is not None and not isinstance(hit, str) for hit in hits], bool)
                & person.notna().to_numpy()
            )
            self.account.mark(name, table.index[~good], "not mapped: the code is in no mapping table")
            self.account.came_from("conditions", name, table.index[good])
            chosen = [hit for hit, keep in zip(hits, good, strict=True) if keep and not isinstance(hit, str) and hit]
            part = table[good]
            parts.append(
                pd.DataFrame(
                    {
                        "patient_id": person[good].map(self.person).to_numpy(object),
                        "category": "diagnosis",
                        "system": [one.system for one in chosen],
                        "code": [one.code for one in chosen],
                        "label": [one.group for one in chosen],
                        "recorded_on": part["CodedDiagTimestamp"].to_numpy(object),
                        "known_on": self.known(part, days_of(part["CodedDiagTimestamp"])),
                    }
                )
            )
        empty = {
            c: pd.Series(dtype="str") for c in ("patient_id", "category", "system", "code", "label", "recorded_on")
        }
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(empty)

    def _circumstances(self) -> pd.DataFrame:
        parts = [
            self._circumstance(
                "MHS003AccommStatus", "AccommodationType", "AccommodationTypeDate", "housing", "accommodation"
            ),
            self._circumstance("MHS004EmpStatus", "EmployStatus", "EmployStatusRecDate", "employment", "employment"),
            self._circumstance(
                "MHS006MHCareCoord", "CareProfLocalID", "StartDateAssCareCoord", "care_coordinator", None
            ),
        ]
        orders = self.table(
            "MHS404CommTreatOrder", "MHActLegalStatusClassPeriodID", "StartDateCommTreatOrd", "EndDateCommTreatOrd"
        )
        if len(orders):
            self.account.notes["MHS404: community treatment orders need their MHS401 period; read by it"] += len(orders)
            periods = self.table("MHS401MHActPeriod", "MHActLegalStatusClassPeriodID", "LocalPatientID")
            who = dict(zip(periods["MHActLegalStatusClassPeriodID"], periods["LocalPatientID"], strict=True))
            orders = orders.assign(LocalPatientID=orders["MHActLegalStatusClassPeriodID"].map(who), value="yes")
            over = orders[days_of(orders["EndDateCommTreatOrd"]) != NO_DAY].assign(value="no")
            orders = self.latest("MHS404CommTreatOrder", orders, "LocalPatientID", "StartDateCommTreatOrd")
            parts.append(
                self._rows("MHS404CommTreatOrder", orders, "StartDateCommTreatOrd", "community_treatment_order")
            )
            if len(over):
                ended = self.latest("MHS404CommTreatOrder", over, "LocalPatientID", "EndDateCommTreatOrd")
                parts.append(
                    self._rows("MHS404CommTreatOrder", ended, "EndDateCommTreatOrd", "community_treatment_order")
                )
        found = [part for part in parts if len(part)]
        empty = {c: pd.Series(dtype="str") for c in ("patient_id", "kind", "value", "from_on")}
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(empty)

    def _circumstance(self, name: str, column: str, date: str, kind: str, codes: str | None) -> pd.DataFrame:
        table = self.table(name, "LocalPatientID", column, date)
        if not len(table):
            return pd.DataFrame()
        table = self.latest(name, table, "LocalPatientID", column, date)
        value = table[column] if codes is None else self.words(codes, table[column])
        self.account.mark(name, table.index[value.isna()], "not mapped: the code is in no mapping table")
        return self._rows(name, table.assign(value=value)[value.notna()], date, kind)

    def _rows(self, name: str, table: pd.DataFrame, date: str, kind: str) -> pd.DataFrame:
        self.account.came_from("circumstances", name, table.index)
        return pd.DataFrame(
            {
                "patient_id": self._ids(table),
                "kind": kind,
                "value": table["value"],
                "from_on": table[date],
                "known_on": self.known(table, days_of(table[date])),
            }
        )


def ingest(
    folder: str | Path,
    out: str | Path,
    *,
    nhs_key: NhsKey | None = None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Reads the submissions, writes the store ``out`` and ``out/ingest.json``, and returns what that holds."""
    frames, account, found = read_mhsds(folder, nhs_key=nhs_key)
    stated = {"source": "MHSDS", "extract": Path(folder).resolve().name, "submissions": found.count, **(about or {})}
    if nhs_key is not None:
        stated["nhs_key_id"] = nhs_key.key_id
    records = Records.from_frames(frames, about=stated)
    account.settle(records.set_aside)
    replace_store(records, out)
    report = {
        "source": "MHSDS",
        "synthetic": records.synthetic,
        "submissions": found.count,
        "tables": account.report(),
        "records": {name: len(records.tables[name]) for name in frames},
        "people_kept": len(records),
        "cannot_give": list(CANNOT_GIVE),
        "notes": [f"{note} ({count:,})" for note, count in sorted(account.notes.items())],
        "checks": records.report.lines(),
        "account": account.lines(),
        "withdrawn": records.report.withdrawn,
    }
    (Path(out) / "ingest.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def lines(report: dict[str, Any], out: Path) -> list[str]:
    """The account as a table for a terminal."""
    return [
        *report["account"],
        *withdrawn_lines(report["withdrawn"]),
        *(f"cannot give {what}" for what in report["cannot_give"]),
        f"{report['people_kept']:,} people from {report['submissions']} submissions",
        f"store: {out}; the whole account: {Path(out) / 'ingest.json'}",
    ]
