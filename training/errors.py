"""All errors of training. ``SettingsError``, for mlflow.yaml, is in ``features.errors``, because the nightly run
reads that file too.

TrainingError
├── NotEnoughData       a slice has no rows, or an outcome has too few events to learn from
├── SeenBefore          a model would be judged on the records that it learned from
├── SplitLeak           a label window or a person crosses from one slice into another
├── ShapeError          a given spine or frame of labels does not have the expected shape
├── StoreAbsent         there is no MLflow store at the given place
├── StoreFault          the MLflow store failed; the message names its address and the cause
├── Withdrawn           a rollback would bring back a version that a rollback withdrew
├── NoRun               the store holds no such run, version or alias
│   ├── NoChallenger    nothing has been trained yet
│   └── NoChampion      nothing has been promoted yet
├── EvidenceError       a template of the evidence file holds a typed number or a dead reference
├── ArtefactAbsent      a run is in the store, but its files are missing
└── HomeMoved           the home folder was moved after MLflow wrote its addresses into the store
"""

from __future__ import annotations

from features.errors import UpstreamError


class TrainingError(UpstreamError):
    """A problem with training, evaluation or promotion that the user can solve."""


class NotEnoughData(TrainingError, ValueError):
    """A slice has no rows, or an outcome has too few events to learn from."""


class SeenBefore(TrainingError):
    """A model would be judged on the records that it learned from."""


class SplitLeak(TrainingError):
    """A label window or a person crosses from one slice into another."""


class ShapeError(TrainingError, ValueError):
    """A spine or a frame of labels does not have the expected shape."""


class StoreAbsent(TrainingError):
    """There is no MLflow store at the given place."""


class NoRun(TrainingError):
    """The store holds no such run, version or alias."""


class NoChallenger(NoRun):
    """Nothing has been trained yet."""


class NoChampion(NoRun):
    """Nothing has been promoted yet."""


class Withdrawn(TrainingError):
    """A rollback would bring back a version that a rollback withdrew."""


class StoreFault(TrainingError):
    """The MLflow store failed: unreachable, access refused, another version, or a mistyped address."""


class ArtefactAbsent(TrainingError):
    """A run is in the store, but its files are missing."""


class HomeMoved(TrainingError):
    """The home folder was moved after MLflow wrote its addresses into the store."""


class ExposureUnknown(TrainingError):
    """Who was exposed to the list cannot be known from what is stated and what is logged."""


class EvidenceError(TrainingError):
    """The evidence file cannot be built, or was changed by hand after it was built."""
