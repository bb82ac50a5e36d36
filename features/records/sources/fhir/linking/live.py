"""Finds the resources of an extract that stand: the latest version of each, unless it was deleted, and no head of a
panel that was not done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.references import key_hashes
from features.records.sources.fhir.sink import LEFT_OUT, REPLACED


def heads_without_a_result(extract: Extract, members: pd.DataFrame, not_done: Sequence[str]) -> npt.NDArray[np.int32]:
    """The heads of panels of which no member was done: their own row would say that the test was done.

    ``members`` has the hashed key of each member beside the head that names it; ``not_done`` are the fates of results
    that do not exist. A member that is not in the extract may have been done.
    """
    fates = [extract.fate_words.index(word) for word in not_done if word in extract.fate_words]
    missing = np.isin(members["key"].to_numpy(np.uint64), extract.keys[np.isin(extract.fates, fates)])
    sources = members["source"].to_numpy(np.int32)
    return np.setdiff1d(sources[missing], sources[~missing])


def live_resources(extract: Extract) -> npt.NDArray[np.bool_]:
    """True for each resource that is the latest version of its key and was not deleted. Earlier versions get their
    fate.
    """
    keys, versions = extract.keys, extract.versions
    live = np.ones(len(keys), bool)
    # Messages often have no version. Of equal versions, a withdrawal replaces the resource that it withdraws.
    withdrawn = np.array(["withdrawn" in word or "cancelled" in word for word in extract.fate_words])[extract.fates]
    order = np.lexsort((np.arange(len(keys)), withdrawn, versions, keys))
    earlier = order[:-1][keys[order[:-1]] == keys[order[1:]]]
    live[earlier] = False
    extract.fates[earlier] = extract.fate(REPLACED)
    if extract.deleted:
        deleted = np.isin(keys, key_hashes(extract.deleted)) & live
        live &= ~deleted
        extract.fates[deleted] = extract.fate(f"{LEFT_OUT}deleted")
    extract.versions = versions[:0]  # nothing reads them from here on
    return live
