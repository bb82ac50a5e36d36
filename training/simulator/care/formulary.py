"""The medicines of the simulated trust: usual doses, their burden, and who starts on what.

Names are rows of ``features/reference/medicines.csv`` and ``other_medicines.csv``. Shares follow ``epidemiology.csv``
(ep090 to ep112). Loads of side effects (0 to 1) are simulator defaults that keep the known order (olanzapine and
clozapine for weight, haloperidol for movement).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator.state import (
    ANTICHOLINERGIC,
    ANTIDEPRESSANT,
    DEPOT,
    MAIN,
    MOOD,
    OTHER,
    SEDATIVE,
)


@dataclass(frozen=True)
class Drug:
    """``share`` is the chance within its slot; doses in mg a day, or mg an injection with ``interval`` days between."""

    name: str
    slot: int
    share: float
    low: float
    usual: float
    high: float
    step: float
    weight: float = 0.0
    sedation: float = 0.0
    movement: float = 0.0
    protects: float = 0.0
    interval: int = 0


FORMULARY: tuple[Drug, ...] = (
    Drug("clozapine", MAIN, 0.0, 100, 350, 700, 50, weight=0.9, sedation=0.8, protects=1.15),
    Drug("olanzapine", MAIN, 0.30, 5, 10, 20, 5, weight=0.9, sedation=0.5, movement=0.1, protects=1.0),
    Drug("quetiapine", MAIN, 0.20, 100, 400, 750, 100, weight=0.5, sedation=0.7, protects=0.9),
    Drug("aripiprazole", MAIN, 0.17, 5, 15, 30, 5, weight=0.1, movement=0.35, protects=0.95),
    Drug("risperidone", MAIN, 0.14, 1, 4, 8, 1, weight=0.4, sedation=0.3, movement=0.5, protects=1.0),
    Drug("amisulpride", MAIN, 0.05, 200, 600, 1200, 200, weight=0.3, movement=0.4, protects=1.0),
    Drug("haloperidol", MAIN, 0.03, 2, 6, 15, 2, weight=0.1, sedation=0.2, movement=0.9, protects=1.0),
    Drug("lurasidone", MAIN, 0.03, 37, 74, 148, 37, movement=0.4, protects=0.9),
    Drug("cariprazine", MAIN, 0.02, 1.5, 3, 6, 1.5, movement=0.4, protects=0.9),
    Drug("zuclopenthixol", MAIN, 0.02, 10, 30, 75, 10, weight=0.3, sedation=0.4, movement=0.7, protects=0.95),
    Drug("chlorpromazine", MAIN, 0.02, 75, 200, 600, 75, weight=0.4, sedation=0.8, movement=0.3, protects=0.9),
    Drug("paliperidone", MAIN, 0.02, 3, 6, 12, 3, weight=0.4, movement=0.5, protects=1.0),
    Drug(
        "paliperidone palmitate 1-monthly injection",
        DEPOT,
        0.27,
        50,
        100,
        150,
        25,
        weight=0.4,
        sedation=0.2,
        movement=0.4,
        protects=1.0,
        interval=28,
    ),
    Drug(
        "aripiprazole 1-monthly injection",
        DEPOT,
        0.20,
        300,
        400,
        400,
        100,
        weight=0.1,
        movement=0.35,
        protects=0.95,
        interval=28,
    ),
    Drug(
        "zuclopenthixol decanoate injection",
        DEPOT,
        0.20,
        200,
        300,
        500,
        100,
        weight=0.3,
        sedation=0.4,
        movement=0.7,
        protects=1.0,
        interval=14,
    ),
    Drug(
        "flupentixol decanoate injection",
        DEPOT,
        0.15,
        40,
        80,
        200,
        20,
        weight=0.3,
        sedation=0.2,
        movement=0.7,
        protects=1.0,
        interval=14,
    ),
    Drug(
        "haloperidol decanoate injection",
        DEPOT,
        0.07,
        50,
        100,
        200,
        50,
        weight=0.1,
        sedation=0.2,
        movement=0.9,
        protects=1.0,
        interval=28,
    ),
    Drug(
        "risperidone microspheres injection",
        DEPOT,
        0.05,
        25,
        25,
        50,
        12.5,
        weight=0.4,
        sedation=0.3,
        movement=0.5,
        protects=1.0,
        interval=14,
    ),
    Drug(
        "paliperidone palmitate 3-monthly injection",
        DEPOT,
        0.04,
        175,
        350,
        525,
        175,
        weight=0.4,
        sedation=0.2,
        movement=0.4,
        protects=1.0,
        interval=84,
    ),
    Drug(
        "olanzapine embonate injection",
        DEPOT,
        0.02,
        150,
        210,
        300,
        60,
        weight=0.9,
        sedation=0.5,
        protects=1.0,
        interval=14,
    ),
    Drug("lithium", MOOD, 0.0, 400, 800, 1200, 200, weight=0.3, sedation=0.2, protects=0.9),
    Drug("valproate", MOOD, 0.0, 500, 1000, 2000, 500, weight=0.4, sedation=0.3, protects=0.7),
    Drug("lamotrigine", MOOD, 0.0, 100, 200, 400, 50, protects=0.6),
    Drug("carbamazepine", MOOD, 0.0, 400, 600, 1200, 200, sedation=0.4, protects=0.6),
    Drug("sertraline", ANTIDEPRESSANT, 0.30, 50, 100, 200, 50, sedation=0.05),
    Drug("mirtazapine", ANTIDEPRESSANT, 0.22, 15, 30, 45, 15, weight=0.4, sedation=0.5),
    Drug("fluoxetine", ANTIDEPRESSANT, 0.16, 20, 20, 60, 20),
    Drug("venlafaxine", ANTIDEPRESSANT, 0.16, 75, 150, 300, 75),
    Drug("citalopram", ANTIDEPRESSANT, 0.12, 10, 20, 40, 10),
    Drug("amitriptyline", ANTIDEPRESSANT, 0.04, 25, 75, 150, 25, weight=0.3, sedation=0.6),
    Drug("procyclidine", ANTICHOLINERGIC, 1.0, 5, 10, 15, 5, sedation=0.1),
    Drug("diazepam", SEDATIVE, 0.28, 2, 5, 15, 2, sedation=0.4),
    Drug("zopiclone", SEDATIVE, 0.34, 3.75, 7.5, 7.5, 3.75, sedation=0.3),
    Drug("lorazepam", SEDATIVE, 0.16, 0.5, 1, 3, 0.5, sedation=0.4),
    Drug("clonazepam", SEDATIVE, 0.12, 0.5, 1, 4, 0.5, sedation=0.4),
    Drug("promethazine", SEDATIVE, 0.10, 25, 25, 50, 25, sedation=0.5),
    Drug("ramipril", OTHER, 0.20, 2.5, 5, 10, 2.5),
    Drug("metformin", OTHER, 0.24, 500, 1000, 2000, 500),
    Drug("atorvastatin", OTHER, 0.30, 20, 20, 80, 20),
    Drug("amlodipine", OTHER, 0.14, 5, 5, 10, 5),
    Drug("ibuprofen", OTHER, 0.12, 600, 1200, 1200, 600),
)
NAMES = tuple(medicine.name for medicine in FORMULARY)
INDEX = {name: i for i, name in enumerate(NAMES)}
CLOZAPINE, LITHIUM, VALPROATE, LAMOTRIGINE, CARBAMAZEPINE, PROCYCLIDINE, OLANZAPINE_EMBONATE = (
    INDEX[name]
    for name in (
        "clozapine",
        "lithium",
        "valproate",
        "lamotrigine",
        "carbamazepine",
        "procyclidine",
        "olanzapine embonate injection",
    )
)

MEDICINE = np.dtype(
    [("slot", "i8"), ("interval", "i8")]
    + [
        (name, "f8") for name in ("share", "low", "usual", "high", "step", "weight", "sedation", "movement", "protects")
    ],
    align=True,
)


def formulary_rows() -> np.ndarray:
    """The formulary as a structured array for compiled code, in the order of ``NAMES``."""
    rows = np.zeros(len(FORMULARY), dtype=MEDICINE)
    for name in MEDICINE.names or ():
        rows[name] = [getattr(medicine, name) for medicine in FORMULARY]
    return rows
