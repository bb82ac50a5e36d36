"""drug_exposure -> supplies: product to ingredient to medicine, always through a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.records.sources.omop.columns import day_text, has_concept
from features.records.sources.omop.columns import days as days_of
from features.records.sources.omop.ledger import ASIDE, MAPPED, NO_CONCEPT, NOT_IN_MAPPING, RowFates, repeated
from features.records.sources.omop.mappings import Mappings, Row
from features.records.sources.omop.vocabulary import Vocabulary
from features.records.tables import TABLES
from features.reference import MEDICINES

NOT_IN_REFERENCE = "not mapped: the reference tables do not hold the medicine"
NOT_SYSTEMIC = "not mapped: a route that does not act on the whole body"
_LAI = "long_acting_injection"


@dataclass(frozen=True)
class Ingredient:
    """One medicine in a product. ``strength_mg`` is in one tablet, capsule or billing unit, as ``basis`` says."""

    medicine: str
    intramuscular: str
    route: str
    strength_mg: float
    basis: str


class Medicines:
    """Which medicines a drug concept holds: by the products table, as an ingredient itself, through its ancestors, or
    its strengths."""

    def __init__(self, maps: Mappings, vocabulary: Vocabulary, notes: list[str]) -> None:
        self.vocabulary = vocabulary
        self.products, _ = vocabulary.resolve(maps["products"])
        self.ingredients, rejected = vocabulary.resolve(maps["ingredients"])
        self.injection = {
            row["medicine"]: row["intramuscular_medicine"]
            for row in maps["ingredients"]
            if row["intramuscular_medicine"]
        }
        if rejected:
            notes.append(
                f"ingredients.csv: {len(rejected)} rows contradict the extract's concept table and were not used: "
                + ", ".join(sorted({row["medicine"] for row in rejected}))
            )

    def of(self, concept_id: str) -> list[Ingredient]:
        """Medicines of a concept; empty where no table knows it."""
        if concept_id in self.products:
            return [self._product(row) for row in self.products[concept_id]]
        strengths = self.vocabulary.strengths.get(concept_id, {})
        reach = (concept_id, *self.vocabulary.ancestors.get(concept_id, ()), *strengths)
        found: dict[str, Ingredient] = {}
        for ingredient_id in reach:
            for row in self.ingredients.get(ingredient_id, ()):
                mg = strengths.get(ingredient_id)
                found.setdefault(row["medicine"], self._ingredient(row["medicine"], mg))
        return list(found.values())

    def _product(self, row: Row) -> Ingredient:
        mg = float(row["strength_mg"] or "nan")
        return Ingredient(row["medicine"], self.injection.get(row["medicine"], ""), row["route"], mg, row["dose_basis"])

    def _ingredient(self, medicine: str, mg: float | None) -> Ingredient:
        return Ingredient(
            medicine, self.injection.get(medicine, ""), "", np.nan if mg is None else mg, "" if mg is None else "solid"
        )


def supplies(
    exposures: pd.DataFrame, maps: Mappings, vocabulary: Vocabulary, ledger: RowFates, notes: list[str]
) -> pd.DataFrame:
    """One row per exposure and medicine in it. Days supplied of 0 count as missing.

    ``daily_dose_mg`` = quantity x strength / days supplied for tablets and capsules; missing if one of the three is
    missing.
    """
    medicines = Medicines(maps, vocabulary, notes)
    lines = _lines(exposures, medicines)
    routes = maps.by_id("routes")
    given = lines["route_concept_id"].map({key: row["route"] for key, row in routes.items()})
    systemic = lines["route_concept_id"].map({key: row["systemic"] for key, row in routes.items()}) != "no"
    intramuscular = lines["route_concept_id"].map({key: row["intramuscular"] for key, row in routes.items()}) == "yes"
    depot = intramuscular & (lines["intramuscular"] != "")
    lines["medicine"] = lines["intramuscular"].where(depot, lines["medicine"])
    known = lines["medicine"].isin(list(MEDICINES))
    _account(exposures, lines, known, systemic, ledger)
    usual = lines["medicine"].map({name: medicine.route for name, medicine in MEDICINES.items()})
    route = given.fillna(lines["route"].mask(lines["route"] == "")).fillna(usual)
    lines["route"] = route.mask(usual == _LAI, _LAI)
    used = lines[known & systemic & ~repeated(exposures["drug_exposure_id"])[lines["origin"]]]
    frame = _frame(used, maps, notes)
    stopped = _stopped(used, frame, notes)
    origin = used["origin"].to_numpy(dtype=np.int64)
    ledger.came_from("supplies", "drug_exposure", np.r_[origin, origin[stopped.index], origin[stopped.index]])
    if not len(stopped):
        return frame
    reversal = frame.loc[stopped.index].assign(status="reversed", known_on=stopped["known_on"])
    shorter = frame.loc[stopped.index].assign(
        days_supplied=stopped["days"], quantity=np.nan, known_on=stopped["known_on"]
    )
    return pd.concat([frame.assign(known_on=None), reversal, shorter], ignore_index=True)


def _stopped(lines: pd.DataFrame, frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """For each exposure that stopped before its supply ran out: the days that it lasted, and the day on which the
    stop became known (the usual delay after its end). By position in ``frame``.

    Until that day the whole supply counts, because the end of an exposure is not known when it begins.
    """
    reason = lines["stop_reason"].fillna("").astype("str").str.strip().reset_index(drop=True) != ""
    start, last = (days_of(day_text(lines, f"drug_exposure_{end}")).reset_index(drop=True) for end in ("start", "end"))
    days = pd.to_numeric(frame["days_supplied"], errors="coerce")
    lasted = (last - start).dt.days + 1
    oral = (frame["route"] != _LAI) & (frame["status"] != "reversed")
    early = reason & oral & (lasted >= 1) & (lasted < days)
    if reason.any():
        notes.append(
            f"drug_exposure: {int(reason.sum())} mapped rows have a stop_reason; {int(early.sum())} of them ended "
            "before their supply ran out, which counts from the day on which it became known"
        )
    told = last[early] + pd.to_timedelta(TABLES["supplies"].usual_delay_days, unit="D")
    return pd.DataFrame(
        {
            "days": lasted[early].astype("int64").astype("str"),
            "known_on": told.dt.strftime("%Y-%m-%d"),
        }
    )


def _lines(exposures: pd.DataFrame, medicines: Medicines) -> pd.DataFrame:
    """One line per exposure and medicine. The source concept is used where the standard concept is not mapped."""
    ids = pd.concat([exposures["drug_concept_id"], exposures["drug_source_concept_id"]]).dropna().unique()
    held = {concept_id: medicines.of(str(concept_id)) for concept_id in ids if concept_id != "0"}
    standard = exposures["drug_concept_id"].map(lambda concept_id: held.get(concept_id, []))
    source = exposures["drug_source_concept_id"].map(lambda concept_id: held.get(concept_id, []))
    chosen = [a or b for a, b in zip(standard, source, strict=True)]
    pairs = [(row, item) for row, items in enumerate(chosen) for item in items]
    origin = np.array([row for row, _ in pairs], dtype=np.int64)
    details = pd.DataFrame(
        [(i.medicine, i.intramuscular, i.route, i.strength_mg, i.basis) for _, i in pairs],
        columns=["medicine", "intramuscular", "route", "strength_mg", "basis"],
    ).astype({"medicine": "str", "intramuscular": "str", "route": "str", "strength_mg": "float64", "basis": "str"})
    return pd.concat([exposures.iloc[origin].reset_index(drop=True), details.assign(origin=origin)], axis=1)


def _account(
    exposures: pd.DataFrame, lines: pd.DataFrame, known: pd.Series, systemic: pd.Series, ledger: RowFates
) -> None:
    concept = exposures["drug_concept_id"]
    fates = np.where(has_concept(concept), NOT_IN_MAPPING, NO_CONCEPT).astype(object)
    unknown = (fates == NOT_IN_MAPPING) | (fates == NO_CONCEPT)
    fates[lines.loc[~known, "origin"].unique()] = NOT_IN_REFERENCE
    fates[lines.loc[~systemic, "origin"].unique()] = NOT_SYSTEMIC
    fates[lines.loc[known & systemic, "origin"].unique()] = f"{MAPPED}supplies"
    unknown &= (fates == NOT_IN_MAPPING) | (fates == NO_CONCEPT)
    unknown |= fates == NOT_IN_REFERENCE
    ledger.not_mapped("drug_exposure", concept[unknown])
    fates[repeated(exposures["drug_exposure_id"])] = f"{ASIDE}drug_exposure_id given twice"
    ledger.fates["drug_exposure"] = fates


def _frame(lines: pd.DataFrame, maps: Mappings, notes: list[str]) -> pd.DataFrame:
    days = pd.to_numeric(lines["days_supply"], errors="coerce")
    quantity = pd.to_numeric(lines["quantity"], errors="coerce")
    # A pharmacy system reverses a supply with the same row and a negative quantity.
    reversal = (quantity < 0) | (days < 0)
    days, quantity = days.abs(), quantity.abs()
    if reversal.any():
        notes.append(f"drug_exposure: {int(reversal.sum())} mapped rows with a quantity below 0 reverse a supply")
    if (days == 0).any():
        notes.append(f"drug_exposure: days_supply is 0 in {int((days == 0).sum())} mapped rows; read as missing")
    start, last = (days_of(day_text(lines, f"drug_exposure_{end}")) for end in ("start", "end"))
    spanned = ((last - start).dt.days + 1).where((last >= start) & ~(days > 0))
    kinds = {key: row["kind"] for key, row in maps.by_id("drug_types").items()}
    kind = lines["drug_type_concept_id"].map(kinds)
    # A dispensing that ends on its first day has no known length. An administered dose lasts one day.
    spanned = spanned.where((spanned <= 400) & ((spanned > 1) | (kind == "administered")))
    if spanned.notna().any():
        notes.append(
            f"drug_exposure: {int(spanned.notna().sum())} mapped rows have no days_supply; the days from start to end "
            "were taken"
        )
    without = int((~(days > 0) & spanned.isna()).sum())
    if without:
        notes.append(
            f"drug_exposure: {without} mapped rows have neither days_supply nor an end date; their length is not known"
        )
    taken_back = quantity.where(~reversal, -quantity)
    given = lines["days_supply"].mask((days == 0) | reversal, days.mask(days == 0).astype("string"))
    days = days.where(days > 0).fillna(spanned)
    solid = (lines["basis"] == "solid") & (days > 0) & (quantity > 0)
    daily = (quantity * lines["strength_mg"] / days).where(solid)
    unit = (quantity * lines["strength_mg"]).where((lines["basis"] == "injection_unit") & (quantity > 0))
    if kind.isna().any():
        notes.append(
            f"drug_exposure: {int(kind.isna().sum())} mapped rows have a type that drug_types.csv does not hold; "
            f"their kind is missing"
        )
    return pd.DataFrame(
        {
            "patient_id": lines["person_id"],
            "medicine": lines["medicine"],
            "route": lines["route"],
            "kind": kind,
            "supplied_on": day_text(lines, "drug_exposure_start"),
            "days_supplied": given.fillna(spanned.astype("Int64").astype("string")).astype("str"),
            # An implausible quantity must not lose the row: the dose becomes missing, the supply is kept.
            "daily_dose_mg": daily.where(daily <= 20_000),
            "dose_mg": unit.where(unit <= 20_000),
            "quantity": taken_back.where((quantity > 0) & (quantity <= 100_000)),
            "strength_mg": lines["strength_mg"].where((lines["basis"] == "solid") & (lines["strength_mg"] <= 20_000)),
            "status": reversal.map({True: "reversed"}).astype("str"),
        }
    ).reset_index(drop=True)
