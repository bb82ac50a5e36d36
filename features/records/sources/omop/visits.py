"""visit_occurrence -> contacts and stays, as visits.csv says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.records.sources.omop.columns import day_text, has_concept
from features.records.sources.omop.ledger import ASIDE, MAPPED, NO_CONCEPT, NOT_IN_MAPPING, RowFates, repeated
from features.records.sources.omop.mappings import Mappings
from features.records.sources.omop.people import CARE_SITE


def contacts_and_stays(
    visits: pd.DataFrame, teams: set[str], maps: Mappings, ledger: RowFates
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Contacts and stays. A contact names its care site only if the site is a team: the billing site of a claim is
    not.
    """
    rules = pd.DataFrame(maps["visits"]).drop_duplicates("concept_id").set_index("concept_id")
    concept = visits["visit_concept_id"].fillna("0")
    target = concept.map(rules["table"])
    second = repeated(visits["visit_occurrence_id"])
    fates = np.where(has_concept(concept), NOT_IN_MAPPING, NO_CONCEPT).astype(object)
    mapped = target.notna().to_numpy(dtype=bool)
    fates[mapped] = MAPPED + target[mapped].astype(object)
    ledger.not_mapped("visit_occurrence", concept[~mapped])
    fates[second] = f"{ASIDE}visit_occurrence_id given twice"
    ledger.fates["visit_occurrence"] = fates
    return _contacts(visits[fates == f"{MAPPED}contacts"], rules, teams, ledger), _stays(
        visits[fates == f"{MAPPED}stays"], rules, ledger
    )


def _rule(concept: pd.Series, rules: pd.DataFrame, column: str) -> pd.Series:
    values = concept.fillna("0").map(rules[column]).astype("str")
    return values.mask(values == "")


def _contacts(visits: pd.DataFrame, rules: pd.DataFrame, teams: set[str], ledger: RowFates) -> pd.DataFrame:
    team = CARE_SITE + visits["care_site_id"]
    ledger.came_from("contacts", "visit_occurrence", visits.index.to_numpy(dtype=np.int64))
    return pd.DataFrame(
        {
            "patient_id": visits["person_id"],
            "contact_id": "visit_" + visits["visit_occurrence_id"],
            "team_id": team.where(team.isin(teams)),
            "contact_on": day_text(visits, "visit_start"),
            "mode": _rule(visits["visit_concept_id"], rules, "mode"),
            "kind": _rule(visits["visit_concept_id"], rules, "kind"),
            "outcome": "attended",
        }
    ).reset_index(drop=True)


def _stays(visits: pd.DataFrame, rules: pd.DataFrame, ledger: RowFates) -> pd.DataFrame:
    ledger.came_from("stays", "visit_occurrence", visits.index.to_numpy(dtype=np.int64))
    return pd.DataFrame(
        {
            "patient_id": visits["person_id"],
            "admitted_on": day_text(visits, "visit_start"),
            "discharged_on": day_text(visits, "visit_end"),
            "method": _rule(visits["visit_concept_id"], rules, "method"),
            "ward": _rule(visits["visit_concept_id"], rules, "ward"),
            "legal_status": "unknown",
        }
    ).reset_index(drop=True)
