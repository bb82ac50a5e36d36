"""Measures a trust's records as an audit would: shares of its caseload, waits and gaps. Reads records only, never the
hidden truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pandas as pd

from features import find_gaps
from features.engine.caseload import caseload
from features.medicines import regimen
from features.records import Records
from features.records.days import day_of
from features.reference import read_rows
from training.dataset.labels import label

ANTIPSYCHOTICS = "antipsychotic"
CLASSES = {row["medicine"]: row["medicine_class"] for row in read_rows("medicines")}
HORIZONS = {"admission": (28, 90, 180, 365), "disengagement": (90, 180, 365)}


def odds_ratio(happened: pd.Series, exposed: pd.Series) -> float:
    """NaN where either side has no event, or nothing else."""
    a, b = happened[exposed].mean(), happened[~exposed].mean()
    return float(a / (1.0 - a) / (b / (1.0 - b))) if 0 < a < 1 and 0 < b < 1 else np.nan


class TrustFigures:
    """Tables of one trust for the rates, computed once."""

    def __init__(self, records: Records) -> None:
        self.records = records
        about = records.about
        self.first, self.last = pd.Timestamp(str(about["first_day"])), pd.Timestamp(str(about["last_day"]))
        self.years = (self.last - self.first).days / 365.25
        self.people = records["patients"].set_index("patient_id")

    def table(self, name: str, day: str) -> pd.DataFrame:
        rows = self.records[name]
        return rows[rows[day].between(self.first, self.last)]

    @cached_property
    def contacts(self) -> pd.DataFrame:
        rows = self.table("contacts", "contact_on")
        return rows[(rows["outcome"] != "planned") & (rows["mode"] != "text") & (rows["kind"] != "carer")]

    @cached_property
    def booked(self) -> pd.DataFrame:
        return self.contacts[self.contacts["booked_on"].notna()]

    @cached_property
    def spine(self) -> pd.DataFrame:
        dates = pd.date_range(self.first + pd.Timedelta(days=365), self.last - pd.Timedelta(days=200), freq="56D")
        return caseload(self.records, list(dates.date)).spine

    @cached_property
    def labels(self) -> pd.DataFrame:
        """One row for each of ``spine``: patient_id, and a column an outcome and horizon."""
        labels = label(self.records, self.spine, HORIZONS)
        labels.insert(0, "patient_id", self.spine["patient_id"].to_numpy())
        return labels

    @cached_property
    def person_years(self) -> float:
        """Years under an open referral within the record."""
        rows = self.records["referrals"]
        start = rows["opened_on"].clip(lower=self.first)  # type: ignore[call-overload]
        end = rows["closed_on"].fillna(self.last).clip(upper=self.last)  # type: ignore[call-overload]
        return float((end - start).dt.days.clip(lower=0).sum() / 365.25)

    @cached_property
    def middle(self) -> pd.Timestamp:
        return self.first + (self.last - self.first) * 0.7

    @cached_property
    def current(self) -> pd.Index:
        """People on the caseload in the middle of the record."""
        return pd.Index(caseload(self.records, [self.middle.date()]).spine["patient_id"])

    @cached_property
    def diagnosis(self) -> pd.Series:
        rows = self.records["conditions"]
        rows = rows[(rows["category"] == "diagnosis") & rows["code"].str.startswith(("F2", "F3", "F6"))]
        return rows.drop_duplicates("patient_id").set_index("patient_id")["code"].reindex(self.current)

    @cached_property
    def medicines(self) -> pd.DataFrame:
        """Supplies of the current caseload in the 100 days before the middle, with the class of each medicine."""
        rows = self.records["supplies"]
        rows = rows[
            rows["supplied_on"].between(self.middle - pd.Timedelta(days=100), self.middle)
            & rows["patient_id"].isin(self.current)
        ]
        return rows.assign(medicine_class=rows["medicine"].map(CLASSES).fillna("other"))

    def share_on(self, rows: pd.DataFrame, among: pd.Index | None = None) -> float:
        among = self.current if among is None else among
        return float(among.isin(rows["patient_id"]).mean()) if len(among) else np.nan

    def diagnosed(self, *codes: str) -> pd.Index:
        return self.diagnosis.index[self.diagnosis.str.startswith(codes).fillna(False).to_numpy(dtype=bool)]

    @cached_property
    def oral_main(self) -> pd.DataFrame:
        """The last oral antipsychotic that is not clozapine of each person."""
        rows = self.medicines
        rows = rows[
            rows["medicine_class"].str.startswith(ANTIPSYCHOTICS)
            & (rows["route"] == "oral")
            & (rows["medicine"] != "clozapine")
        ]
        return rows.sort_values("supplied_on", kind="stable").drop_duplicates("patient_id", keep="last")

    def oral_share(self, *names: str) -> float:
        return float(self.oral_main["medicine"].isin(names).mean())

    def covered_below(self, keep: Callable[[pd.DataFrame], pd.Series], threshold: float = 0.8) -> float:
        """Share of people supplied at least twice in a year whose days covered, from first supply, fell below the
        threshold."""
        rows = self.records["supplies"]
        start = self.middle - pd.Timedelta(days=365)
        rows = rows[
            rows["supplied_on"].between(start, self.middle)
            & (rows["route"] == "oral")
            & ~rows["as_required"].fillna(False).astype(bool)
        ]
        rows = rows[keep(rows) & rows["patient_id"].isin(self.current)]
        below = []
        for _, mine in rows.groupby("patient_id", sort=False):
            if len(mine) < 2:
                continue
            first, until, covered = mine["supplied_on"].iloc[0], mine["supplied_on"].iloc[0], 0.0
            for on, days in zip(mine["supplied_on"], mine["days_supplied"], strict=True):
                begin = max(on, until)
                end = min(begin + pd.Timedelta(days=days), self.middle)
                covered += max(0, (end - begin).days)
                until = max(until, end)
            length = (self.middle - first).days
            if length >= 90:
                below.append(covered / length < threshold)
        return float(np.mean(below)) if below else np.nan

    def readmitted(self, days: int) -> float:
        stays = self.records["stays"].sort_values(["patient_id", "admitted_on"], kind="stable")
        stays = stays[stays["method"] != "transfer"]
        nxt = stays.groupby("patient_id")["admitted_on"].shift(-1)
        method = stays.groupby("patient_id")["method"].shift(-1)
        out = stays["discharged_on"]
        seen = out.notna() & (out + pd.Timedelta(days=days) <= self.last) & (out >= self.first)
        back = (nxt - out).dt.days.le(days) & method.isin(["emergency", "unknown"])
        return float(back[seen].mean())

    def late_depots(self) -> float:
        rows = self.records["supplies"]
        rows = rows[(rows["route"] == "long_acting_injection") & (rows["supplied_on"] >= self.first)]
        gap = rows.groupby(["patient_id", "medicine"])["supplied_on"].diff().dt.days
        late = gap - rows["interval_days"]
        return float((late[late.notna() & (gap < 150)] > 7).mean())

    def blood_on_time(self) -> float:
        rows = self.records["results"]
        rows = rows[(rows["test"] == "anc") & (rows["taken_on"] >= self.first)]
        on_clozapine = self.records["supplies"].query("medicine == 'clozapine'")["patient_id"].unique()
        gap = rows[rows["patient_id"].isin(on_clozapine)].groupby("patient_id")["taken_on"].diff().dt.days
        gap = gap[gap.notna() & (gap < 60)]
        due = np.select([gap <= 9, gap <= 18], [7, 14], 28)
        return float((gap <= due).mean())

    def yearly(self, tests: tuple[str, ...]) -> float:
        """Share of the current caseload, a year or more under an open referral, with all tests in the last year."""
        rows = self.records["results"]
        rows = rows[rows["taken_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        referrals = self.records["referrals"]
        long = referrals[referrals["opened_on"] <= self.middle - pd.Timedelta(days=365)]
        among = self.current[self.current.isin(long["patient_id"])]
        done = [among.isin(rows.loc[rows["test"] == test, "patient_id"]) for test in tests]
        return float(np.logical_and.reduce(done).mean())

    def no_review(self) -> float:
        rows = self.contacts
        rows = rows[rows["kind"].isin(["care_review"]) & (rows["outcome"] == "attended")]
        rows = rows[rows["contact_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        return 1.0 - float(self.current.isin(rows["patient_id"]).mean())

    def circumstance(self, kind: str, *values: str) -> float:
        rows = self.records["circumstances"]
        rows = rows[(rows["kind"] == kind) & (rows["from_on"] <= self.middle)].drop_duplicates(
            "patient_id", keep="last"
        )
        return self.share_on(rows[rows["value"].isin(values)])

    @cached_property
    def gaps(self) -> pd.Series:
        """Share of the current caseload with each care gap, by code."""
        found = find_gaps(self.records, self.middle.date(), self.current)
        return found.groupby("code")["patient_id"].nunique() / len(self.current)

    def gap(self, code: str) -> float:
        return float(self.gaps.get(code, 0.0))

    @cached_property
    def percent_of_maximum(self) -> pd.Series:
        """Sum of the percentages of the maximum dose of all antipsychotics of each person of the current caseload;
        NaN if it is not known."""
        places = self.records.positions(list(self.current))
        days = np.full(len(places), day_of(self.middle.date()), dtype=np.int32)
        columns = regimen.regimen_of(regimen.prepare(self.records), places, days)
        return pd.Series(columns[:, regimen.FIELDS.index("percent_of_max")], index=self.current)

    def several_antipsychotics(self, among: pd.Index) -> float:
        """Share supplied with two or more antipsychotics; a tablet and an injection of one medicine are one."""
        rows = self.medicines
        rows = rows[rows["medicine_class"].str.startswith(ANTIPSYCHOTICS)]
        kinds = rows["medicine"].str.split(" ").str[0].groupby(rows["patient_id"]).nunique()
        return self.share_on(kinds[kinds >= 2].reset_index(), among)

    def tested(self, test: str, among: pd.Index) -> float:
        """Share with a result of the test in the last year."""
        rows = self.records["results"]
        rows = rows[rows["taken_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        return self.share_on(rows[rows["test"] == test], among)

    def held_for_a_year(self, medicine: str) -> pd.Index:
        """People of the current caseload on a medicine now, and supplied with it a year ago or longer."""
        rows = self.records["supplies"]
        before = rows[(rows["medicine"] == medicine) & (rows["supplied_on"] <= self.middle - pd.Timedelta(days=365))]
        now = self.taking(medicine)
        return now[now.isin(before["patient_id"])]

    def repeated(self, test: str, times: int, among: pd.Index) -> float:
        """Share with at least so many results of the test in the last year."""
        rows = self.records["results"]
        rows = rows[rows["taken_on"].between(self.middle - pd.Timedelta(days=365), self.middle)]
        counts = rows.loc[rows["test"] == test, "patient_id"].value_counts()
        return self.share_on(counts[counts >= times].reset_index(), among)

    def around_start(self, medicine: str, test: str, before: int, after: int) -> float:
        """Share of people who began a medicine within the record with a result from so many days before the start to
        so many after it."""
        supplies, results = self.records["supplies"], self.records["results"]
        start = supplies[supplies["medicine"] == medicine].groupby("patient_id")["supplied_on"].min()
        start = start[start.between(self.first + pd.Timedelta(days=90), self.last - pd.Timedelta(days=126))]
        rows = results[results["test"] == test]
        since = (rows["taken_on"] - rows["patient_id"].map(start)).dt.days
        return float(start.index.isin(rows.loc[since.between(-before, after), "patient_id"]).mean())

    def users(self, *classes: str) -> pd.Index:
        """People of the current caseload supplied with a medicine whose class starts so."""
        rows = self.medicines[self.medicines["medicine_class"].str.startswith(classes)]
        return pd.Index(rows["patient_id"].unique())

    def taking(self, medicine: str) -> pd.Index:
        return pd.Index(self.medicines.loc[self.medicines["medicine"] == medicine, "patient_id"].unique())

    def living(self, kind: str, *values: str) -> pd.Series:
        """For each row of ``labels``, whether the person's circumstance was one of the values on that date."""
        rows = self.records["circumstances"]
        rows = rows[rows["kind"] == kind].sort_values("from_on", kind="stable")
        dates = self.spine[["patient_id", "as_of"]].reset_index(drop=True).rename_axis("row").reset_index()
        held = pd.merge_asof(
            dates.sort_values("as_of", kind="stable"), rows, left_on="as_of", right_on="from_on", by="patient_id"
        )
        return held.set_index("row")["value"].sort_index().isin(values)

    def of(self, people: pd.Index) -> pd.Series:
        """For each row of ``labels``, whether it is of one of the people."""
        return self.labels["patient_id"].isin(people)

    def odds_ratio(self, outcome: str, exposed: pd.Series, among: pd.Series | None = None) -> float:
        """Odds of a label of exposed rows against the others, over all caseload dates."""
        label = self.labels[outcome]
        seen = label.notna() if among is None else label.notna() & among
        return odds_ratio(label[seen], exposed[seen])

    def detained_odds_ratio(self, people: pd.Index) -> float:
        rows = self.records["stays"].query("method in ('emergency', 'unknown')")
        return odds_ratio(rows["legal_status"] != "informal", rows["patient_id"].isin(people))

    def group(self, column: str, *values: object) -> pd.Index:
        """People of the trust with one of the values in ``patients``."""
        return self.people.index[self.people[column].isin(values)]

    def ratio(self, holders: pd.DataFrame, inside: pd.Index, among: pd.Index) -> float:
        """Share holding something in a group over the share of the others, among some people."""
        here, there = among[among.isin(inside)], among[~among.isin(inside)]
        share = self.share_on(holders, there)
        return self.share_on(holders, here) / share if share > 0 and len(here) else np.nan
