"""The regimen: what a person takes now and how it has changed. Doses against the maximum, combinations, burdens,
starts and stops.

Conventions ([D] where docs/clinical.md leaves room):

* A medicine's course runs from its first supply, with carry-over, and ends after more than 90 days without supply. It
  is current while its supply lasts and for 28 days after [D]: a late collection is not a stop. An injection lasts its
  interval.
* Percentage of maximum: daily dose over the BNF maximum for oral medicines, dose over interval against the product's
  maximum for injections, summed over current antipsychotics, as-required ones included (RCPsych CR190). Unknown if no
dose is known.
* A stop is dated on the day supply ran out, and counts once the 28 days have passed. A switch is a start within 60
  days of a stop in the same family.

The features and the care gaps both read :func:`regimen_of`, so the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from features.kernels.regimen import FIELDS, regimen_kernel
from features.medicines import supply_days
from features.records import Records
from features.records.tables import TABLES
from features.reference import INTERACTIONS, MEDICINES, groups, in_scope, pairs

CLINICALLY_IMPORTANT = ("high", "contraindicated")
FAMILIES = ("antipsychotic_any", "antidepressant_any", "mood_stabiliser")

ANTIPSYCHOTIC, PSYCHOTROPIC, QT, DEPENDENCE, INJECTION, PROCYCLIDINE = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True)
class Facts:
    """Facts about each medicine that the kernel needs, by its position in MEDICINES."""

    flags: npt.NDArray[np.int64]
    family: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]
    acb: npt.NDArray[np.int64]
    maximum_mg: npt.NDArray[np.float64]
    """Maximum a day: BNF maximum for oral medicines, largest dose over its days for injections."""
    important: npt.NDArray[np.bool_]


@cache
def facts() -> Facts:
    flags, family, acb, maximum = [], [], [], []
    bases = {name: place for place, name in enumerate(dict.fromkeys(m.base for m in MEDICINES.values()))}
    for name, m in MEDICINES.items():
        dependence = name in groups()["dependence forming"]
        flags.append(
            ANTIPSYCHOTIC * m.is_antipsychotic
            + PSYCHOTROPIC * m.is_psychotropic
            + QT * (name in groups()["qt prolonging medicine"])
            + DEPENDENCE * dependence
            + INJECTION * m.is_long_acting_injection
            + PROCYCLIDINE * (m.base == "procyclidine")
        )
        family.append(next((i for i, scope in enumerate(FAMILIES) if in_scope(m, scope)), -1))
        acb.append(m.acb_score)
        if m.is_long_acting_injection:
            maximum.append((m.lai_max_dose_mg or np.nan) / (m.lai_max_dose_per_days or np.nan))
        else:
            maximum.append(m.max_daily_dose_mg or np.nan)
    severe = np.array([row.severity in CLINICALLY_IMPORTANT for row in INTERACTIONS] + [False])
    base = np.array([bases[m.base] for m in MEDICINES.values()], np.int64)
    return Facts(
        np.array(flags, np.int64),
        np.array(family, np.int64),
        base,
        np.array(acb, np.int64),
        np.array(maximum),
        severe[pairs()],
    )


@dataclass(frozen=True)
class RegimenInputs:
    """The supplies of a set of records as the kernel reads them."""

    offsets: npt.NDArray[np.int64]
    day: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32]
    until: npt.NDArray[np.int32]
    """The last day on which a row is valid: see :mod:`features.records.same_event.supplies`."""
    length: npt.NDArray[np.int32]
    medicine: npt.NDArray[np.int64]
    dose_mg_a_day: npt.NDArray[np.float64]
    as_required: npt.NDArray[np.bool_]
    prescriber: npt.NDArray[np.int8]
    undone: npt.NDArray[np.int32]
    """The day from which each supply no longer stands."""


def prepare(records: Records) -> RegimenInputs:
    """Prepares ``records`` for the kernel."""
    return records.once("regimen", lambda: _prepare(records))


def _prepare(records: Records) -> RegimenInputs:
    columns = records.columns("supplies")
    once = supply_days.supplies_once(records)
    prescribers = TABLES["supplies"].column("prescriber").values
    side = np.full(len(prescribers) + 1, -1, np.int8)
    side[prescribers.index("trust")], side[prescribers.index("gp")] = 0, 1
    return RegimenInputs(
        records.offsets("supplies"),
        columns["supplied_on"],
        columns["known_on"],
        once.until,
        once.length,
        columns["medicine"].astype(np.int64),
        once.dose_mg_a_day,
        columns["as_required"] == 1,
        side[columns["prescriber"]],
        once.undone,
    )


def regimen_of(
    prepared: RegimenInputs, person: npt.NDArray[np.int64], as_of: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Shape (rows, len(FIELDS)): the regimen of each person as known at 00:00 of each day; NaN if it cannot be
    assessed.
    """
    out = np.full((len(person), len(FIELDS)), np.nan)
    p, f = prepared, facts()
    regimen_kernel(
        p.offsets,
        p.day,
        p.known,
        p.until,
        p.length,
        p.medicine,
        p.dose_mg_a_day,
        p.as_required,
        p.prescriber,
        f.flags,
        f.family,
        f.base,
        f.acb,
        f.maximum_mg,
        f.important,
        person,
        as_of,
        out,
    )
    return out


__all__ = ["FIELDS", "RegimenInputs", "facts", "prepare", "regimen_of"]
