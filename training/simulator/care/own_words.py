"""Wishes and side effects in people's own words, for the conversation sheet of a demo: plainly invented.

No model and no rule reads them. They are drawn from salts of their own, by person, after the other rows are written, so
that no other row changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from training.simulator import state
from training.simulator.care.formulary import NAMES
from training.simulator.random import hashed

WISHES = (
    "fewer tablets in a day",
    "an appointment in the afternoon",
    "to sleep through the night",
    "to go back to college",
    "to be asked before a dose changes",
    "to gain less weight",
)
SIDE_EFFECTS = ("sleepy in the morning", "dry mouth", "weight has gone up", "feels sick after the dose")
OF_A_MEDICINE = {
    "clozapine": "dribbling at night",
    "lithium": "hands shake",
    "olanzapine": "hungry all the time",
    "aripiprazole": "cannot sit still",
}
"""What somebody on this medicine reports; on any other, one of ``SIDE_EFFECTS``."""
INVENTED = " (invented)"
WISH_PER_CONTACT, REPORT_PER_SUPPLY = 0.05, 0.05
MOST_DAYS_LATER = 14
WHO_SAID, WHAT_WISH, WHO_FELT, WHAT_FELT, HOW_LATE, WISH_KNOWN, FELT_KNOWN = 2001, 2002, 2003, 2004, 2005, 2010, 2020

Written = tuple[np.ndarray, np.ndarray, list[str]]
"""Person, day and words of each row."""


def in_own_words(
    contacts: np.ndarray,
    supplies: np.ndarray,
    seed: int,
    place: Callable[[np.ndarray], np.ndarray],
) -> Mapping[str, Written]:
    """Wishes said at attended contacts, and side effects reported within two weeks of an oral supply or injection."""
    said = contacts[contacts["c"] == state.ATTENDED]
    said = said[hashed(seed, WHO_SAID, said["person"], place(said["person"])) < WISH_PER_CONTACT]
    wish = _chosen(hashed(seed, WHAT_WISH, said["person"], said["day"]), len(WISHES))
    felt = supplies[hashed(seed, WHO_FELT, supplies["person"], place(supplies["person"])) < REPORT_PER_SUPPLY]
    later = 1 + _chosen(hashed(seed, HOW_LATE, felt["person"], felt["day"]), MOST_DAYS_LATER)
    effect = _chosen(hashed(seed, WHAT_FELT, felt["person"], felt["day"]), len(SIDE_EFFECTS))
    names = [NAMES[number] for number in felt["a"].tolist()]
    return {
        "wish": (said["person"], said["day"].astype(np.int64), [WISHES[one] + INVENTED for one in wish.tolist()]),
        "side_effect": (
            felt["person"],
            felt["day"].astype(np.int64) + later,
            [
                OF_A_MEDICINE.get(name, SIDE_EFFECTS[one]) + INVENTED
                for name, one in zip(names, effect.tolist(), strict=True)
            ],
        ),
    }


def _chosen(noise: np.ndarray, of: int) -> np.ndarray:
    return np.floor(noise * of).astype(np.int64)
