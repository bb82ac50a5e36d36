"""``export``: writes a store as monthly MHSDS submissions, for tests and for data transfer.

Each reporting period is one folder, and each table one CSV. A submission holds what was open in its period, as the
data set requires.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.records.days import date_of
from features.records.records import Records
from features.records.sources.mhsds.folder import rows_of

PROVIDER, PRACTICE, COMMISSIONER = "RZZ", "Y99999", "00X"
"""Codes that belong to no real organisation: a simulated trust, an unknown practice, a commissioner."""


def export(records: Records, folder: str | Path, *, months: int | None = None) -> dict[str, Any]:
    """Writes one submission for each month up to the last known day. ``months`` limits it to the latest months.

    Returns the rows of each table and what could not be written.
    """
    out = Path(folder)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds other files; choose an empty folder for the submissions")
    return _MhsdsWriting(records, out).run(months)


class _MhsdsWriting:
    def __init__(self, records: Records, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self.left_out: dict[str, int] = {}
        last = date_of(max(records.last_day_known(), 0)) or dt.date.today()
        self.created = last + dt.timedelta(days=1)
        known = pd.Timestamp(self.created)
        self.tables = {}
        for name in ("patients", "referrals", "contacts", "stays", "conditions", "circumstances", "teams"):
            table = records[name]
            if "known_on" in table and name != "patients":
                late = table["known_on"] >= known
                self._lose(f"{name} known after the submission", int(late.sum()))
                table = table[~late]
            self.tables[name] = table.reset_index(drop=True)
        self.codes: dict[str, dict[str, str]] = {}
        for row in rows_of("codes"):
            self.codes.setdefault(row["list"], {}).setdefault(row["meaning"], row["code"])
        for name in ("supplies", "results"):
            self._lose(f"{name}: MHSDS does not carry them", len(records.tables[name]))
        self._requests()

    def _lose(self, what: str, count: int) -> None:
        if count:
            self.left_out[what] = self.left_out.get(what, 0) + count

    def _requests(self) -> None:
        """The referral of every contact, stay and diagnosis: an open referral of the person, or a referral without a
        team that is made for it.
        """
        referrals = self.tables["referrals"]
        spells: dict[str, list[tuple[pd.Timestamp, pd.Timestamp, str, str]]] = {}
        end = pd.Timestamp.max.normalize()
        closed = referrals["closed_on"].where(referrals["closed_known_on"] < pd.Timestamp(self.created))
        columns = (referrals[name] for name in ("patient_id", "opened_on", "team_id", "referral_id"))
        for who, start, team, name, stop in zip(*columns, closed, strict=True):
            spells.setdefault(who, []).append((start, end if pd.isna(stop) else stop, team, name))
        alone: list[tuple[str, str, pd.Timestamp, pd.Timestamp]] = []

        def hang(who: str, day: pd.Timestamp, team: Any, name: str, until: pd.Timestamp) -> str:
            fit = [s for s in spells.get(who, ()) if s[0] <= day and until <= s[1]]
            mine = [s for s in fit if s[2] == team]
            if mine or (fit and isinstance(team, str)):
                return (mine or fit)[0][3]
            alone.append((name, who, day, until))
            return name

        contacts = self.tables["contacts"]
        planned = contacts["outcome"] == "planned"
        unknown = ~planned & (contacts["outcome_known_on"] >= pd.Timestamp(self.created))
        self._lose("contacts: bookings (MHS20168)", int(planned.sum()))
        self._lose("contacts whose outcome was not known yet", int(unknown.sum()))
        contacts = contacts[~planned & ~unknown & (contacts["contact_on"] <= pd.Timestamp(self.created))].reset_index(
            drop=True
        )
        contacts["request"] = [
            hang(who, day, team, f"X{name}", day)
            for who, day, team, name in zip(contacts["patient_id"], contacts["contact_on"], contacts["team_id"],
                                            contacts["contact_id"], strict=True)
        ]  # fmt: skip
        self.tables["contacts"] = contacts
        stays = self.tables["stays"]
        stays["discharged_on"] = stays["discharged_on"].where(stays["discharge_known_on"] < pd.Timestamp(self.created))
        stays["spell"] = [f"H{n}" for n in range(len(stays))]
        stays["request"] = [
            hang(who, day, None, f"XS{n}", end if pd.isna(stop) else stop)
            for n, (who, day, stop) in enumerate(
                zip(stays["patient_id"], stays["admitted_on"], stays["discharged_on"], strict=True)
            )
        ]
        conditions = self.tables["conditions"]
        kept = (conditions["category"] == "diagnosis") & conditions["system"].isin(["icd10", "snomed_ct"])
        self._lose("conditions: allergies and shared care", int((~kept).sum()))
        conditions = conditions[kept].reset_index(drop=True)
        # A diagnosis made before the person was referred is sent with their first referral.
        first = {who: min(found) for who, found in spells.items()}
        hung = []
        for who, day in zip(conditions["patient_id"], conditions["recorded_on"], strict=True):
            fit = [s for s in spells.get(who, ()) if s[0] <= day <= s[1]]
            start = (fit[0] if fit else first.get(who, (None, None, None, None)))[0]
            name = (fit[0] if fit else first.get(who, (None, None, None, None)))[3]
            hung.append((name, day if start is None else max(day, start)))
        conditions["request"] = [name for name, _ in hung]
        conditions["sent"] = pd.Series([day for _, day in hung], index=conditions.index, dtype="datetime64[s]")
        self._lose("conditions of people without a referral", int(conditions["request"].isna().sum()))
        closed_by = dict(zip(referrals["referral_id"], closed, strict=True))
        over = conditions["request"].map(closed_by)
        conditions["sent"] = conditions["sent"].where(~(conditions["sent"] > over), over)
        conditions = conditions[conditions["request"].notna()].reset_index(drop=True)
        self.tables["conditions"] = conditions
        extra = pd.DataFrame(alone, columns=["referral_id", "patient_id", "opened_on", "closed_on"])
        extra["closed_on"] = extra["closed_on"].where(extra["closed_on"] < end)
        self.requests = pd.concat(
            [referrals.assign(closed_on=closed), extra.assign(team_id=None, close_reason="other")], ignore_index=True
        )

    def run(self, months: int | None) -> dict[str, Any]:
        starts = [self.requests["opened_on"].min(), self.tables["contacts"]["contact_on"].min()]
        first = min((s for s in starts if not pd.isna(s)), default=pd.Timestamp(self.created))
        periods = pd.period_range(first, pd.Timestamp(self.created) - pd.Timedelta(days=1), freq="M")
        for period in periods[-months:] if months else periods:
            self._submission(period.start_time.normalize(), period.end_time.normalize())
        return {"submissions": len(periods), "rows": self.rows, "left_out": self.left_out}

    def _submission(self, start: pd.Timestamp, end: pd.Timestamp) -> None:
        # The current month is submitted at its end.
        created = max(pd.Timestamp(self.created), end)
        place = self.folder / f"{start:%Y-%m}"
        place.mkdir(parents=True)
        requests = self.requests
        live = (requests["opened_on"] <= end) & ~(requests["closed_on"] < start)
        requests = requests[live]
        over = requests["closed_on"] <= end
        reason = requests["close_reason"].map(self.codes["close"]).where(over)
        people = self.tables["patients"]
        people = people[people["patient_id"].isin(set(requests["patient_id"]))]
        died = people["died_on"].between(start, end)
        self._put(place, "MHS000Header", DatSetVer="6.0", OrgIDProvider=PROVIDER, OrgIDSubmit=PROVIDER,
                  PrimSystemInUse="Upstream", ReportingPeriodStartDate=f"{start:%Y-%m-%d}",
                  ReportingPeriodEndDate=f"{end:%Y-%m-%d}",
                  DateTimeDatSetCreate=f"{created:%Y-%m-%d}T00:00:00", index=[0])  # fmt: skip
        self._put(place, "MHS001MPI", LocalPatientID=people["patient_id"], OrgIDLocalPatientID=PROVIDER,
                  PersonBirthDate=_text(people["birth_date"]), Gender=people["sex"].map(self.codes["gender"]),
                  EthnicCategory=people["ethnicity"].map(self.codes["ethnicity"]),
                  PersDeathDate=_text(people["died_on"].where(died)), index=people.index)  # fmt: skip
        self._put(place, "MHS002GP", LocalPatientID=people["patient_id"], GMPReg=PRACTICE, index=people.index)
        self._put(place, "MHS005PatInd", LocalPatientID=people["patient_id"],
                  LDStatus=people["learning_disability"].map(self.codes["three_way"]),
                  AutismStatus=people["autism"].map(self.codes["three_way"]), index=people.index)  # fmt: skip
        self._put(place, "MHS101Referral", ServiceRequestID=requests["referral_id"],
                  LocalPatientID=requests["patient_id"], OrgIDComm=COMMISSIONER,
                  CareProfTeamLocalID=requests["team_id"], ReferralRequestReceivedDate=_text(requests["opened_on"]),
                  ServDischDate=_text(requests["closed_on"].where(over)), ReferClosReason=reason,
                  index=requests.index)  # fmt: skip
        team_of = dict(zip(requests["referral_id"], requests["team_id"], strict=True))
        contacts = self.tables["contacts"]
        contacts = contacts[contacts["contact_on"].between(start, end)]
        other = contacts["team_id"].where(contacts["team_id"] != contacts["request"].map(team_of))
        self._put(place, "MHS201CareContact", CareContactID=contacts["contact_id"],
                  ServiceRequestID=contacts["request"], CareContDate=_text(contacts["contact_on"]),
                  OtherCareProfTeamLocalID=other, CareContSubj=np.where(contacts["kind"] == "carer", "02", "01"),
                  ConsMechanismMH=contacts["mode"].map(self.codes["mode"]),
                  AttendStatus=contacts["outcome"].map(self.codes["attend"]), index=contacts.index)  # fmt: skip
        reviews = contacts[contacts["kind"] == "medicines_review"]
        self._put(place, "MHS202CareActivity", CareActID="A" + reviews["contact_id"],
                  CareContactID=reviews["contact_id"], Procedure=self.codes["procedure"]["medicines_review"],
                  index=reviews.index)  # fmt: skip
        self._stays(place, start, end)
        conditions = self.tables["conditions"]
        conditions = conditions[conditions["sent"].between(start, end)]
        self._put(place, "MHS605SecDiag", ServiceRequestID=conditions["request"],
                  DiagSchemeInUse=conditions["system"].map({"icd10": "02", "snomed_ct": "06"}),
                  SecDiag=conditions["code"], CodedDiagTimestamp=_text(conditions["recorded_on"]) + "T00:00:00",
                  index=conditions.index)  # fmt: skip
        teams = self.tables["teams"]
        self._put(place, "MHS902ServiceTeamDetails", CareProfTeamLocalID=teams["team_id"],
                  OrgIDCareProfTeamLocalID=PROVIDER, ServTeamTypeMH=teams["kind"], ServTeamIntAgeGroup="02",
                  index=teams.index)  # fmt: skip
        self._circumstances(place, start, end, set(people["patient_id"]))

    def _stays(self, place: Path, start: pd.Timestamp, end: pd.Timestamp) -> None:
        stays = self.tables["stays"]
        stays = stays[(stays["admitted_on"] <= end) & ~(stays["discharged_on"] < start)]
        out = stays["discharged_on"].where(stays["discharged_on"] <= end)
        self._put(place, "MHS501HospProvSpell", HospProvSpellID=stays["spell"], ServiceRequestID=stays["request"],
                  StartDateHospProvSpell=_text(stays["admitted_on"]), DischDateHospProvSpell=_text(out),
                  MethAdmMHHospProvSpell=stays["method"].map({"emergency": "21", "planned": "11", "transfer": "81"}),
                  index=stays.index)  # fmt: skip
        self._put(place, "MHS502WardStay", WardStayID="W" + stays["spell"], WardCode="WARD",
                  HospProvSpellID=stays["spell"],
                  StartDateWardStay=_text(stays["admitted_on"]), EndDateWardStay=_text(out),
                  MHAdmittedPatientClass=stays["ward"].map(self.codes["ward"]), index=stays.index)  # fmt: skip
        self._put(place, "MHS401MHActPeriod", MHActLegalStatusClassPeriodID="L" + stays["spell"],
                  LocalPatientID=stays["patient_id"], StartDateMHActLegalStatusClass=_text(stays["admitted_on"]),
                  StartTimeMHActLegalStatusClass="00:00:00", EndDateMHActLegalStatusClass=_text(out),
                  LegalStatusCode=stays["legal_status"].map({**self.codes["legal"], "unknown": "99"}),
                  index=stays.index)  # fmt: skip

    def _circumstances(self, place: Path, start: pd.Timestamp, end: pd.Timestamp, people: set[str]) -> None:
        rows = self.tables["circumstances"]
        # The first submission holds everything recorded before it. Every later submission holds what is new.
        first = not any(self.folder.glob("*/MHS003AccommStatus.csv"))
        rows = rows[(rows["from_on"] <= end) & ((rows["from_on"] >= start) | first) & rows["patient_id"].isin(people)]
        for table, kind, column, date, codes in (
            ("MHS003AccommStatus", "housing", "AccommodationType", "AccommodationTypeDate", "accommodation"),
            ("MHS004EmpStatus", "employment", "EmployStatus", "EmployStatusRecDate", "employment"),
            ("MHS006MHCareCoord", "care_coordinator", "CareProfLocalID", "StartDateAssCareCoord", None),
        ):
            part = rows[rows["kind"] == kind]
            value = part["value"] if codes is None else part["value"].map(self.codes[codes])
            part, value = part[value.notna()], value[value.notna()]
            fields = {"LocalPatientID": part["patient_id"], column: value, date: _text(part["from_on"])}
            self._put(place, table, **fields, index=part.index)

    def _put(self, place: Path, table: str, index: Any, **columns: Any) -> None:
        frame = pd.DataFrame(columns, index=index)
        self.rows[table] = self.rows.get(table, 0) + len(frame)
        frame.to_csv(place / f"{table}.csv", index=False)


def _text(days: pd.Series) -> pd.Series:
    return days.dt.strftime("%Y-%m-%d")
