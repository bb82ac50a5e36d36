"""The oracle: each person's true risk, from the full hidden state, which no real trust has.

A risk is the share of imagined futures in which the event happens. The person is replayed, day for day, to the date
(the same stream gives the same past), and from that morning on the same machine runs with fresh random numbers.
Events follow docs/clinical.md sections 2.2 and 2.3. Death, moving away,
transfer out of the trust and a planned end close a future: they count as no event in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.errors import UpstreamError
from training.simulator.care.formulary import formulary_rows
from training.simulator.parameters import World
from training.simulator.person_day import run_course, run_oracle
from training.simulator.teams import draw_teams

VERSION = "6"
FIRST_DAY = 18995
"""2022-01-03, a Monday, in days since 1970-01-01."""
OUTCOMES = ("admission", "disengagement", "new_disengagement")
FILE = "truth.json"
WHERE = ("community", "inpatient", "closed", "gone", "away")
COURSE = (
    "severity",
    "insight",
    "takes_medicine",
    "side_effects",
    "comes",
    "protection",
    "missed_medicine",
    "relapse",
    "substance",
    "withdrawn",
)
"""Hidden quantities of a course. ``takes_medicine`` and ``comes`` are probabilities of the day; ``missed_medicine``
and ``protection`` lie in 0 to 1."""


class TruthError(UpstreamError, ValueError):
    """The oracle cannot answer this question; the message says why."""


@dataclass(frozen=True)
class Truth:
    """Everything that made a simulated trust, enough to replay anybody to any day. It is stored next to the store,
    never inside it. ``reviews`` are those that a list brought: number of the person (0, 1, ...) and day number.
    """

    seed: int
    patients: int
    years: float
    teams: int
    world: World
    version: str = VERSION
    reviews: tuple[tuple[int, int], ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes whose true risk is known."""
        return OUTCOMES

    @property
    def last_day(self) -> int:
        return FIRST_DAY + round(365.25 * self.years)

    def risk(
        self,
        spine: pd.DataFrame,
        outcomes: Mapping[str, Sequence[int]] | None = None,
        draws: int = 200,
        seed: int = 0,
        threads: int = 2,
        *,
        reviewed: bool = False,
    ) -> pd.DataFrame:
        """patient_id, as_of, outcome, horizon, probability: one row per spine row, outcome and horizon, in the order
        of the spine.

        ``outcomes`` maps an outcome to horizons in days. The standard error of a probability p is sqrt(p(1-p)/draws).
        ``new_disengagement`` counts silences that begin on or after ``as_of``, among futures that do not first
        complete a silence under way. NaN if the person was not there on that date (not yet referred, gone, moved
        away, dead).
        The answer does not depend on the order of the spine. ``reviewed`` gives the risk as if a medicines review had
        taken place on the morning of ``as_of``.
        """
        outcomes = outcomes or {"admission": (28, 90, 180), "disengagement": (90, 180)}
        unknown = [name for name in outcomes if name not in OUTCOMES]
        if unknown:
            raise TruthError(f"Unknown outcome {unknown[0]!r}: the truth knows {' and '.join(OUTCOMES)}.")
        index, day = self._places(spine)
        horizons = np.unique(np.concatenate([np.asarray(h, dtype=np.int64) for h in outcomes.values()]))
        order = np.lexsort((day, index))
        out = np.zeros((len(index), len(OUTCOMES), len(horizons)))
        blocks = [b for b in person_blocks(index[order], threads) if len(b)]

        def run(block: np.ndarray) -> None:
            rows = order[block]
            part = np.zeros((len(rows), len(OUTCOMES), len(horizons)))
            run_oracle(index[rows], day[rows], horizons, draws, seed, int(reviewed), *self._world(), part)
            out[rows] = part

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, blocks))
        return self._long(spine, outcomes, horizons, out)

    def review_effect(
        self,
        spine: pd.DataFrame,
        outcomes: Mapping[str, Sequence[int]] | None = None,
        draws: int = 200,
        seed: int = 0,
        threads: int = 2,
    ) -> pd.DataFrame:
        """As ``risk``, with ``reviewed`` (the risk had a review been delivered on ``as_of``) and ``effect`` = reviewed
        - probability; below 0 helps.

        Both arms start from the same hidden state and the same random numbers, and diverge when the review first
        makes a difference. The effect is that of the review itself (``appointments.review_works``), not of the
        contact. In a world whose reviews do nothing the effect is exactly 0.
        """
        effect = self.risk(spine, outcomes, draws, seed, threads)
        effect["reviewed"] = self.risk(spine, outcomes, draws, seed, threads, reviewed=True)["probability"]
        effect["effect"] = effect["reviewed"] - effect["probability"]
        return effect

    def course(self, patient_id: str) -> pd.DataFrame:
        """day, where, and the hidden quantities ``COURSE`` at the end of each day from the first to the last: the
        replayed past of one person."""
        index, _ = self._places(pd.DataFrame({"patient_id": [patient_id], "as_of": [np.datetime64(FIRST_DAY, "D")]}))
        out = np.zeros((self.last_day - FIRST_DAY + 1, 1 + len(COURSE)))
        run_course(int(index[0]), *self._world(), out)
        there = ~np.isnan(out[:, 0])
        days = np.arange(FIRST_DAY, self.last_day + 1).astype("datetime64[D]").astype("datetime64[s]")
        course = pd.DataFrame(out[there, 1:], columns=list(COURSE))
        where = np.asarray(WHERE, dtype=object)[out[there, 0].astype(int)]
        return pd.concat([pd.DataFrame({"day": days[there], "where": where}), course], axis=1)

    def _long(
        self, spine: pd.DataFrame, outcomes: Mapping[str, Sequence[int]], horizons: np.ndarray, out: np.ndarray
    ) -> pd.DataFrame:
        parts = []
        for name, days in outcomes.items():
            for horizon in days:
                at = int(np.searchsorted(horizons, horizon))
                part = spine[["patient_id", "as_of"]].copy()
                part["outcome"], part["horizon"] = name, int(horizon)
                part["probability"] = out[:, OUTCOMES.index(name), at]
                part["_row"] = np.arange(len(spine))
                parts.append(part)
        long = pd.concat(parts, ignore_index=True)
        return long.sort_values("_row", kind="stable").drop(columns="_row").reset_index(drop=True)

    def _places(self, spine: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        numbers = pd.to_numeric(spine["patient_id"].astype("string").str.slice(1), errors="coerce").to_numpy(
            dtype=float, na_value=np.nan
        )
        wrong = ~((numbers >= 1) & (numbers <= self.patients))
        if wrong.any():
            raise TruthError(
                f"{int(wrong.sum())} spine rows name people this trust never had: it made {self.patients} people, "
                f"S000001 and on. Use the trust's own spine."
            )
        day = pd.to_datetime(spine["as_of"]).to_numpy().astype("datetime64[D]").astype(np.int64)
        return numbers.astype(np.int64) - 1, day

    def _world(self) -> tuple[Any, ...]:
        rows, _ = draw_teams(self.teams, self.seed)
        numbers = self.seed, float(self.years), self.world.to_record(), formulary_rows()
        return *numbers, rows, FIRST_DAY, self.last_day, self.review_rows()

    def review_rows(self) -> np.ndarray:
        """``reviews`` as sorted int64 rows of person and day."""
        return np.array(sorted(set(self.reviews)), dtype=np.int64).reshape(-1, 2)

    def save(self, folder: str | Path) -> Path:
        """Writes ``truth.json``: the seed, the sizes, the version and the numbers of the world. The rest is
        replayed.
        """
        path = Path(folder) / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"synthetic": True, **asdict(self)}, indent=2), encoding="utf-8")
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Truth:
        """Reads what ``save`` wrote. Raises TruthError when another version of the mechanism made the trust."""
        path = Path(folder) / FILE
        if not path.exists():
            raise TruthError(f"No {FILE} in the folder given: it is written beside the store of a simulated trust.")
        told = json.loads(path.read_text(encoding="utf-8"))
        told.pop("synthetic", None)
        if told["version"] != VERSION:
            raise TruthError(
                f"The truth was made by version {told['version']} of the mechanism and this is version {VERSION}: it "
                f"would replay another past. Simulate again."
            )
        reviews = tuple((int(person), int(day)) for person, day in told.pop("reviews", ()))
        return cls(**{**told, "world": World(**told["world"]), "reviews": reviews})


def person_blocks(index: np.ndarray, threads: int) -> list[np.ndarray]:
    """Positions in blocks of whole people, a few per thread."""
    cuts = np.flatnonzero(np.diff(index)) + 1
    people = np.split(np.arange(len(index)), cuts) if len(index) else []
    size = max(1, len(people) // (threads * 8))
    return [np.concatenate(people[i : i + size]) for i in range(0, len(people), size)]
