"""Turns records about people into features and into overdue or missing care.

Public names: ``from features import Records, build, find_gaps, CATALOGUE, proportion_of_days_covered``. A name is
imported on first use, so that the command line can print its help without loading the feature engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from features.build_features import build
    from features.catalogue import CATALOGUE, CONCEPTS
    from features.engine import Feature, FeatureMatrix, SpecError, SpineError
    from features.errors import UpstreamError
    from features.gaps import find_gaps
    from features.medicines.adherence import AdherenceError, proportion_of_days_covered
    from features.records import Records, RecordsError

_HOMES = {
    "CATALOGUE": "features.catalogue",
    "CONCEPTS": "features.catalogue",
    "AdherenceError": "features.medicines.adherence",
    "Feature": "features.engine",
    "FeatureMatrix": "features.engine",
    "Records": "features.records",
    "RecordsError": "features.records",
    "SpecError": "features.engine",
    "SpineError": "features.engine",
    "UpstreamError": "features.errors",
    "build": "features.build_features",
    "find_gaps": "features.gaps",
    "proportion_of_days_covered": "features.medicines.adherence",
}


def __getattr__(name: str) -> Any:
    """Imports a public name from the module that defines it, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'features' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = [
    "CATALOGUE",
    "CONCEPTS",
    "AdherenceError",
    "Feature",
    "FeatureMatrix",
    "Records",
    "RecordsError",
    "SpecError",
    "SpineError",
    "UpstreamError",
    "build",
    "find_gaps",
    "proportion_of_days_covered",
]
