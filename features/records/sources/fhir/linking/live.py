"""Finds the resources of an extract that stand: the latest version of each, unless it was deleted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.records.sources.fhir.extract.extract import Extract
from features.records.sources.fhir.references import key_hashes
from features.records.sources.fhir.sink import LEFT_OUT, REPLACED


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
