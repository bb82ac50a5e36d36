"""Computes features for every runner: plan, events, and the one ``build`` that all runners call."""

from features.engine.build import build, build_values
from features.engine.matrix import FeatureMatrix, SpineError, read_spine
from features.spec import EVER, Feature, SpecError, Stream, results_of, stream, supplies_of

__all__ = [
    "EVER",
    "Feature",
    "FeatureMatrix",
    "SpecError",
    "SpineError",
    "Stream",
    "build",
    "build_values",
    "read_spine",
    "results_of",
    "stream",
    "supplies_of",
]
