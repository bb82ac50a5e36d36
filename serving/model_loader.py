"""The served model: loaded from the bundles root, replaced when the pointer moves, kept if the new one fails its
checks.

A request reads ``current`` once and keeps that object, so a swap never mixes two models in one answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models import ModelError, RiskModel
from models.bundle.not_promoted import refuse_unless_demo
from models.bundle.signature import refuse_unsigned
from serving.observability.logs import logger

log = logger()
POINTER = "current"
LAST_GOOD = "last_good"


@dataclass(frozen=True)
class LoadedModel:
    """The loaded model (or None), the pointer it came from, and the last problem in words."""

    model: RiskModel | None = None
    pointer: str = ""
    problem: str = "no model has been published yet; run `upstream sync`"


class LiveModel:
    """Watches ``root/current``. ``warm`` is called with a model before it serves, so that the first request finds
    compiled kernels. Only a ``demo`` loads a model that was not promoted.
    """

    def __init__(
        self,
        root: Path,
        poll_seconds: float,
        warm: Callable[[RiskModel], None] = lambda model: None,
        *,
        demo: bool = False,
    ) -> None:
        self._demo = demo
        self._root, self._poll, self._warm = root, poll_seconds, warm
        self._standing = LoadedModel()
        # Remembers what was checked last, so that a bundle repaired under the same name is checked again.
        self._tried: tuple[str, int, int] = ("", 0, 0)
        self._stop = threading.Event()
        self._checking = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def current(self) -> RiskModel | None:
        return self._standing.model

    @property
    def standing(self) -> LoadedModel:
        return self._standing

    def start(self) -> None:
        """Loads the published bundle, or the last good one if that fails, and starts watching."""
        self.check()
        if self._standing.model is None:
            self._fall_back()
        self._thread = threading.Thread(target=self._watch, name="upstream-bundle-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def check(self) -> None:
        """Checks the pointer once; loads, self-tests and swaps if it moved. Never raises: an unusable bundle leaves
        the old one serving.
        """
        with self._checking:
            name = _read(self._root / POINTER)
            seen = (name, _touched(self._root / POINTER), _touched(self._root / name))
            if not name or seen == self._tried:
                return
            self._tried = seen
            self._load(self._root / name, name)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll):
            self.check()

    def _fall_back(self) -> None:
        name = _read(self._root / LAST_GOOD)
        if name:
            problem = self._standing.problem
            self._load(self._root / name, name)
            if self._standing.model is not None:
                self._standing = LoadedModel(self._standing.model, name, problem)

    def _load(self, folder: Path, name: str) -> None:
        try:
            if folder.parent != self._root:
                raise ModelError("the pointer names a place outside the bundles folder")
            model = RiskModel.load(folder, self_test=True)
            refuse_unless_demo(model.manifest, self._root.parent if self._demo else None)
            refuse_unsigned(model.manifest, model.signature, self._root.parent)
            self._warm(model)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new bundle, the old one keeps serving
            problem = (
                f"the newest model was refused ({type(error).__name__}); run `upstream sync` or `upstream rollback`"
            )
            log.error("bundle refused", bundle=name, error=type(error).__name__)
            self._standing = LoadedModel(self._standing.model, self._standing.pointer, problem)
            return
        self._standing = LoadedModel(model, name, "")
        log.info("serving bundle", bundle=name)


def _touched(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
