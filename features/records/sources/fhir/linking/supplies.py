"""Works out the dose and length of each supply from the message and the strength of the product."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.days import NO_DAY, to_datetime64
from features.records.sources.fhir.codebook import BY_NAME
from features.reference import MEDICINES

_DEPOTS = frozenset(name for name, medicine in MEDICINES.items() if medicine.is_long_acting_injection)
_USUAL = {name: medicine.route for name, medicine in MEDICINES.items()}
MOST_MG = 20_000
MOST_DAYS = 400
MOST_UNITS = 100_000


def supply_frames(
    rows: pd.DataFrame, medications: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(supplies, contacts at which a depot was not given, resources whose medicine is not known, other doses not
    given).

    Days supplied: as the message gives them, or quantity divided by dose, or the expected duration. A dose in tablets
    needs the strength of the product. An unknown dose stays missing. A medicine that is known by its name alone stays
    among the supplies: the checks of the records keep it with the person as not understood.
    """
    looked_up = medications.drop_duplicates("key").set_index("key")
    reference = rows["medication"].astype("str")
    medicine = rows["medicine"].astype("str").fillna(reference.map(looked_up["medicine"].astype("str")))
    strength = rows["strength"].fillna(reference.map(looked_up["strength"]).astype("float64"))
    route = rows["route"].astype("str")
    route = route.where(route != "").fillna(reference.map(looked_up["route"].astype("str")))
    route = route.where(route != "").fillna(medicine.map(_USUAL))
    known = medicine.isin(list(MEDICINES)) | medicine.str.endswith(BY_NAME).fillna(False)
    depot = medicine.isin(list(_DEPOTS))
    mg_a_day = rows["mg_a_day"].fillna(rows["units_a_day"] * strength)
    units_a_day = rows["units_a_day"].fillna(rows["mg_a_day"] / strength)
    days = rows["days"].fillna((rows["quantity"] / units_a_day).where(units_a_day > 0)).fillna(rows["expected"])
    days = days.where((days > 0) & (days <= MOST_DAYS) & ~depot)
    mg_a_day = mg_a_day.fillna((rows["quantity"] * strength / days).where(days > 0))
    dose = rows["dose_mg"].fillna(rows["dose_units"] * strength)
    frame = pd.DataFrame(
        {
            "source": rows["source"],
            "key": rows["key"].astype("str"),
            "day": rows["day"],
            "business": rows["business"],
            "patient_id": rows["patient_id"],
            "medicine": medicine,
            "route": route.mask(depot, "long_acting_injection"),
            "kind": rows["kind"].astype("str"),
            "supplied_on": to_datetime64(rows["day"].to_numpy(np.int32)),
            "days_supplied": days,
            "daily_dose_mg": mg_a_day.where(mg_a_day <= MOST_MG).mask(depot),
            "dose_mg": dose.where(dose <= MOST_MG).where(depot | (rows["kind"] == "administered")),
            "interval_days": rows["interval"].where(depot & rows["interval"].between(1, MOST_DAYS)),
            "quantity": rows["quantity"].where(rows["quantity"] <= MOST_UNITS),
            "units_a_day": rows["units_a_day"].where(rows["units_a_day"] <= 1_000).mask(depot),
            "strength_mg": strength.where(strength <= MOST_MG),
            "status": rows["status"].astype("str"),
            "late": rows["late"],
            "as_required": rows["as_required"],
            "prescriber": rows["prescriber"].astype("str"),
        }
    )
    missed = rows["depot_missed"].fillna(False).to_numpy(bool)
    unknown = rows["source"].to_numpy(np.int32)[~known.to_numpy(bool)]
    taken = frame[known.to_numpy(bool) & ~missed].reset_index(drop=True)
    not_given = rows["source"].to_numpy(np.int32)[known.to_numpy(bool) & missed & ~depot.to_numpy(bool)]
    return taken, _contacts(frame[missed & depot.to_numpy(bool)]), unknown, not_given


def _contacts(missed: pd.DataFrame) -> pd.DataFrame:
    """Writes a refused or missed depot as a depot clinic contact that was not attended."""
    return pd.DataFrame(
        {
            "source": missed["source"],
            "patient_id": missed["patient_id"],
            "key": missed["key"],
            "subject": None,
            "appointment": None,
            "team": None,
            "staff": None,
            "day": missed["day"],
            "booked": NO_DAY,
            "mode": "face_to_face",
            "kind": "depot_clinic",
            "outcome": "did_not_attend",
            "late": NO_DAY,
            "business": NO_DAY,
        }
    ).reset_index(drop=True)
