"""person, death and observation_period -> patients, referrals and teams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.records.sources.omop.columns import day_text, days
from features.records.sources.omop.ledger import ASIDE, MAPPED, RowFates, repeated
from features.records.sources.omop.mappings import Mappings

NO_CARE_SITE = "no_care_site"
DIED = "deceased"
"""What stands for a day of death that nobody wrote down: the loader sets it aside, and the person is on no list."""
CARE_SITE = "care_site_"


@dataclass(frozen=True)
class Referrals:
    """Referrals from observation periods, and the teams that the care sites of those periods stand for."""

    referrals: pd.DataFrame
    teams: pd.DataFrame
    open_at_end: int


def patients(
    person: pd.DataFrame, death: pd.DataFrame, with_period: set[str], maps: Mappings, ledger: RowFates, notes: list[str]
) -> pd.DataFrame:
    """One row a person, with or without visits, observation period or anything else. If the day or month of birth is
    missing, the middle of the month or year is used.
    """
    genders = {key: row["sex"] or None for key, row in maps.by_id("genders").items()}
    races = {key: row["ethnicity"] or None for key, row in maps.by_id("races").items()}
    died = _deaths(person, death, ledger)
    frame = pd.DataFrame(
        {
            "patient_id": person["person_id"],
            "birth_date": _birth(person, notes),
            "sex": person["gender_concept_id"].map(genders),
            "ethnicity": person["race_concept_id"].map(races),
            "died_on": person["person_id"].map(died),
        }
    )
    fates = np.full(len(person), f"{MAPPED}patients", dtype=object)
    fates[~person["person_id"].isin(with_period).to_numpy(dtype=bool)] = (
        f"{MAPPED}patients (no observation period, so no referral)"
    )
    ledger.fates["person"] = fates
    ledger.came_from("patients", "person", np.arange(len(person)))
    row_of = dict(zip(death["person_id"][::-1], death.index[::-1], strict=True))
    dead = np.flatnonzero(frame["died_on"].notna())
    ledger.came_from(
        "patients.died_on", "death", person["person_id"].iloc[dead].map(row_of).to_numpy(dtype=np.int64), at=dead
    )
    for column, known in (("gender_concept_id", genders), ("race_concept_id", races)):
        ledger.not_mapped(f"person ({column})", person.loc[~person[column].isin(list(known)), column])
    return frame


def _birth(person: pd.DataFrame, notes: list[str]) -> pd.Series:
    year, month, day = (pd.to_numeric(person[f"{part}_of_birth"], errors="coerce") for part in ("year", "month", "day"))
    month, day = month.where(month > 0), day.where(day > 0)  # some extracts write 0 for a part that is not known
    whole = person["birth_datetime"].str.slice(0, 10)
    guessed = year.notna() & (month.isna() | day.isna()) & whole.isna()
    if guessed.any():
        notes.append(
            f"person: {int(guessed.sum())} birth dates without day or month; the middle of the month or year was taken"
        )
    middle = month.isna()
    parts = pd.DataFrame({"year": year, "month": month.fillna(7), "day": day.where(~middle, 1).fillna(15)})
    texts = [
        None if np.isnan(y) else f"{int(y):04d}-{int(m):02d}-{int(d):02d}"
        for y, m, d in parts.itertuples(index=False, name=None)
    ]
    built = pd.Series(texts, index=person.index, dtype="str")
    exact = year.notna() & month.notna() & day.notna()
    return built.where(exact, whole.fillna(built))


def _deaths(person: pd.DataFrame, death: pd.DataFrame, ledger: RowFates) -> dict[str, str]:
    day = day_text(death, "death")
    fates = np.full(len(death), f"{MAPPED}patients.died_on", dtype=object)
    fates[repeated(death["person_id"])] = f"{ASIDE}a second death of one person"
    undated = day.isna().to_numpy(dtype=bool)
    fates[~death["person_id"].isin(person["person_id"]).to_numpy(dtype=bool)] = (
        f"{ASIDE}the person is not in the person table"
    )
    ledger.fates["death"] = fates
    known = death["person_id"].isin(person["person_id"]).to_numpy(dtype=bool)
    dated = (fates == f"{MAPPED}patients.died_on") & ~undated
    without_a_day = dict.fromkeys(death.loc[undated & known, "person_id"], DIED)
    return without_a_day | dict(zip(death.loc[dated, "person_id"], day[dated], strict=True))


def referrals(
    periods: pd.DataFrame,
    visits: pd.DataFrame,
    care_sites: pd.DataFrame,
    died: dict[str, str],
    last_day: pd.Timestamp | None,
    maps: Mappings,
    ledger: RowFates,
) -> Referrals:
    """An observation period is a referral to the care site that the person visited most during it.

    A period that ends within ``open_within_days`` (observation_periods.csv) of the extract's last known day counts as
    still open, unless the person had died by then. A closed referral has no reason other than death, because OMOP
    does not say why a period ends.
    """
    second = repeated(periods["observation_period_id"])
    fates = np.full(len(periods), f"{MAPPED}referrals", dtype=object)
    fates[second] = f"{ASIDE}observation_period_id given twice"
    ledger.fates["observation_period"] = fates
    kept = periods[~second]
    end = days(day_text(kept, "observation_period_end"))
    slack = kept["period_type_concept_id"].map(_slack(maps)).fillna(_slack(maps).get("", 0))
    dead = days(kept["person_id"].map(died)) <= end + pd.to_timedelta(slack, unit="D")
    still_open = day_text(kept, "observation_period_end").isna()
    still_open |= end >= (last_day or pd.Timestamp.max) - pd.to_timedelta(slack, unit="D")
    still_open &= ~dead
    number = kept["observation_period_id"].fillna(pd.Series(kept.index.astype(str), index=kept.index))
    frame = pd.DataFrame(
        {
            "patient_id": kept["person_id"],
            "referral_id": "observation_period_" + number,
            "team_id": _team(kept, visits),
            "opened_on": day_text(kept, "observation_period_start"),
            "closed_on": day_text(kept, "observation_period_end").mask(still_open),
            "close_reason": pd.Series("died", index=kept.index, dtype="str").where(dead),
        }
    )
    ledger.came_from("referrals", "observation_period", kept.index.to_numpy(dtype=np.int64))
    return Referrals(frame.reset_index(drop=True), _teams(frame["team_id"], care_sites), int(still_open.sum()))


def _slack(maps: Mappings) -> dict[str, float]:
    return {key: float(row["open_within_days"]) for key, row in maps.by_id("observation_periods").items()}


def _team(periods: pd.DataFrame, visits: pd.DataFrame) -> pd.Series:
    """Most frequent care site of the visits inside each period. A tie goes to the site visited last, then to the
    lowest id.
    """
    start, end = days(day_text(periods, "observation_period_start")), days(day_text(periods, "observation_period_end"))
    spans = pd.DataFrame({"period": periods.index, "person_id": periods["person_id"], "start": start, "end": end})
    seen = visits.assign(day=days(day_text(visits, "visit_start"))).dropna(subset=["care_site_id", "day"])
    seen = seen[seen["care_site_id"] != "0"]
    inside = spans.merge(seen[["person_id", "care_site_id", "day"]], on="person_id")
    inside = inside[(inside["day"] >= inside["start"]) & (inside["day"] <= inside["end"])]
    counts = inside.groupby(["period", "care_site_id"])["day"].agg(["count", "max"]).reset_index()
    best = counts.sort_values(["period", "count", "max", "care_site_id"], ascending=[True, False, False, True])
    team = CARE_SITE + best.drop_duplicates("period").set_index("period")["care_site_id"]
    return team.reindex(periods.index).fillna(NO_CARE_SITE).astype("str")


def _teams(team_ids: pd.Series, care_sites: pd.DataFrame) -> pd.DataFrame:
    known = care_sites.dropna(subset=["care_site_name"]).drop_duplicates("care_site_id")
    names = dict(zip(CARE_SITE + known["care_site_id"], known["care_site_name"], strict=True))
    names[NO_CARE_SITE] = "No care site"
    ids = sorted(team_ids.dropna().unique())
    number = [str(team).removeprefix(CARE_SITE) for team in ids]
    return pd.DataFrame(
        {
            "team_id": pd.Series(ids, dtype="str"),
            "name": pd.Series(
                [names.get(team, f"Care site {n}") for team, n in zip(ids, number, strict=True)], dtype="str"
            ),
            "kind": pd.Series(["care_site"] * len(ids), dtype="str"),
        }
    )
