"""The simulated trust of the proofs with corrections: contacts, referrals and stays of which an earlier version said
something else, and supplies that were reversed or came back in part, each known some days later."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features import Records


def corrected_trust(records: Records) -> Records:
    draw = np.random.default_rng(18)
    frames = {name: records[name] for name in records.tables}
    for name, change in (("contacts", contacts), ("referrals", referrals), ("stays", stays), ("supplies", supplies)):
        frames[name] = pd.concat([frames[name], *change(frames[name], draw)], ignore_index=True)
    return Records.from_frames(frames, about=records.about)


def later(days: pd.Series, draw: np.random.Generator, most: int) -> pd.Series:
    return days + pd.to_timedelta(draw.integers(1, most, len(days)), unit="D")


def sample(frame: pd.DataFrame, share: float, draw: np.random.Generator) -> pd.DataFrame:
    return frame[draw.random(len(frame)) < share].copy()


def contacts(frame: pd.DataFrame, draw: np.random.Generator) -> list[pd.DataFrame]:
    """Some were attended after all, or missed after all; some turn out to have been on another day."""
    over = frame[frame["outcome"].isin(["attended", "did_not_attend"])]
    other = sample(over, 0.1, draw)
    other["outcome"] = other["outcome"].map({"attended": "did_not_attend", "did_not_attend": "attended"})
    moved = sample(over, 0.04, draw)
    moved["contact_on"] -= pd.Timedelta(days=3)
    for changed in (other, moved):
        changed["known_on"] = changed["outcome_known_on"] = later(changed["outcome_known_on"], draw, 90)
    return [other, moved]


def referrals(frame: pd.DataFrame, draw: np.random.Generator) -> list[pd.DataFrame]:
    """Some were closed by mistake."""
    reopened = sample(frame[frame["closed_on"].notna()], 0.3, draw)
    reopened["known_on"] = later(reopened["closed_known_on"], draw, 120)
    reopened["closed_on"] = reopened["closed_known_on"] = pd.NaT
    reopened["close_reason"] = None
    return [reopened]


def stays(frame: pd.DataFrame, draw: np.random.Generator) -> list[pd.DataFrame]:
    """Some ended earlier than was written first."""
    shorter = sample(frame[frame["discharged_on"].notna()], 0.3, draw)
    shorter["known_on"] = shorter["discharge_known_on"] = later(shorter["discharge_known_on"], draw, 60)
    shorter["discharged_on"] = shorter[["admitted_on", "discharged_on"]].mean(axis=1).dt.floor("D")
    return [shorter]


def supplies(frame: pd.DataFrame, draw: np.random.Generator) -> list[pd.DataFrame]:
    """Some were never handed over, and of some a part came back."""
    reversed_ = sample(frame, 0.06, draw)
    reversed_["status"] = "reversed"
    rest = frame[~frame.index.isin(reversed_.index) & (frame["days_supplied"] > 6)]
    part = sample(rest, 0.06, draw)
    frame.loc[part.index, "quantity"] = 84.0
    part["status"], part["quantity"], part["days_supplied"] = "part_returned", 42.0, np.nan
    for changed in (reversed_, part):
        changed["known_on"] = later(changed["known_on"], draw, 30)
    return [reversed_, part]
