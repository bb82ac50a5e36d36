"""Calibrated risk with exact explanations, and the bundle that carries it from training to serving."""

from models.bundle.manifest import Manifest
from models.calibration import Calibration, fit_calibration
from models.errors import (
    BundleBusy,
    BundleDamaged,
    BundleError,
    BundleIncompatible,
    BundleMissing,
    BundleRefused,
    BundleUnwritable,
    CalibrationError,
    FeatureMismatch,
    ModelError,
    TreesError,
)
from models.explain.reasons import Reason
from models.explain.what_if import WhatIf
from models.risk_model import RiskModel
from models.scores import OutcomeScores, Scores
from models.shapley.explainer import TreeShapley

__all__ = [
    "BundleBusy",
    "BundleDamaged",
    "BundleError",
    "BundleIncompatible",
    "BundleMissing",
    "BundleRefused",
    "BundleUnwritable",
    "Calibration",
    "CalibrationError",
    "FeatureMismatch",
    "Manifest",
    "ModelError",
    "OutcomeScores",
    "Reason",
    "RiskModel",
    "Scores",
    "TreeShapley",
    "TreesError",
    "WhatIf",
    "fit_calibration",
]
