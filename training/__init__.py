"""Training, evaluation and promotion: from records to a bundle that a service may load. Only
``training.registry.tracking`` imports mlflow.

Public names: ``from training import Settings, simulate, prepare, fit, RiskClassifier``. A name is imported on first
use, so that ``import training`` loads no library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.dataset.labels import FollowUp, follow_up
    from training.dataset.landmarks import landmarks
    from training.dataset.prepare import Prepared, prepare
    from training.dataset.splits import Split, by_patients, by_time
    from training.errors import NotEnoughData, ShapeError, TrainingError
    from training.fitting.boosters import Fitted, fit
    from training.fitting.classifier import RiskClassifier
    from training.settings import Settings
    from training.simulator import simulate

_HOMES = {
    "Fitted": "training.fitting.boosters",
    "FollowUp": "training.dataset.labels",
    "NotEnoughData": "training.errors",
    "Prepared": "training.dataset.prepare",
    "RiskClassifier": "training.fitting.classifier",
    "Settings": "training.settings",
    "ShapeError": "training.errors",
    "Split": "training.dataset.splits",
    "TrainingError": "training.errors",
    "by_patients": "training.dataset.splits",
    "by_time": "training.dataset.splits",
    "fit": "training.fitting.boosters",
    "follow_up": "training.dataset.labels",
    "landmarks": "training.dataset.landmarks",
    "prepare": "training.dataset.prepare",
    "simulate": "training.simulator",
}


def __getattr__(name: str) -> Any:
    """Imports a public name from the module that defines it, on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'training' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = [
    "Fitted",
    "FollowUp",
    "NotEnoughData",
    "Prepared",
    "RiskClassifier",
    "Settings",
    "ShapeError",
    "Split",
    "TrainingError",
    "by_patients",
    "by_time",
    "fit",
    "follow_up",
    "landmarks",
    "prepare",
    "simulate",
]
