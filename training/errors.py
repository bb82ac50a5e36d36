"""The errors of training, all of them. ``SettingsError``, of mlflow.yaml, is in ``features.errors``: the nightly run
reads that file too.

TrainingError
├── NotEnoughData       a slice has no rows, or an outcome has too few events to learn from
├── SplitLeak           a label window or a person crosses from one slice into another
├── ShapeError          a spine or a frame of labels that someone brought does not have the shape asked for
├── StoreAbsent         there is no MLflow store where one was looked for
├── StoreFault          the MLflow store did not answer as it should; the message names its address and the cause
├── Withdrawn           a rollback would bring back a version that a rollback withdrew
├── NoRun               the store holds no such run, version or alias
│   ├── NoChallenger    nothing has been trained yet
│   └── NoChampion      nothing has been promoted yet
├── EvidenceError       a template of the evidence file holds a typed number or a dead reference
├── ArtefactAbsent      a run is in the store, its files are not where they should be
└── HomeMoved           the home folder was moved after MLflow wrote its addresses into the store
"""

from __future__ import annotations

from features.errors import UpstreamError


class TrainingError(UpstreamError):
    """Something about training, evaluation or promotion that a person can put right."""


class NotEnoughData(TrainingError):
    """A slice has no rows, or an outcome has too few events to learn from."""


class SplitLeak(TrainingError):
    """A label window or a person crosses from one slice into another."""


class ShapeError(TrainingError):
    """A spine or a frame of labels does not have the shape asked for."""


class StoreAbsent(TrainingError):
    """There is no MLflow store where one was looked for."""


class NoRun(TrainingError):
    """The store holds no such run, version or alias."""


class NoChallenger(NoRun):
    """Nothing has been trained yet."""


class NoChampion(NoRun):
    """Nothing has been promoted yet."""


class Withdrawn(TrainingError):
    """The version to go back to was itself withdrawn by a rollback."""


class StoreFault(TrainingError):
    """The MLflow store did not answer as it should: away, refused, of another version, or a mistyped address."""


class ArtefactAbsent(TrainingError):
    """A run is in the store, its files are not where they should be."""


class HomeMoved(TrainingError):
    """The home folder was moved after MLflow wrote its addresses into the store."""


class EvidenceError(TrainingError):
    """The evidence file cannot be built as it stands, or was changed by hand after it was built."""
