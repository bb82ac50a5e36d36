"""Of processes that miss the same kernel at once, one compiles it and the others wait and load."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from numba.core.errors import TypingError

from features import compile_lock
from features.compile_lock import CompileLock
from features.jit import jit
from tests.conftest import ROOT

HOLD = """
import sys
from pathlib import Path
from features.compile_lock import CompileLock
lock = CompileLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
"""


def free(path: Path) -> bool:
    """True if nobody holds the lock at ``path``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_lock, "SECONDS_TO_WAIT", -1.0)
        lock = CompileLock(path)
        lock.take()
        held = lock._file is not None
        lock.release()
    return held


def test_the_second_waits_until_the_first_releases(tmp_path: Path) -> None:
    first, second = CompileLock(tmp_path / "kernel.lock"), CompileLock(tmp_path / "kernel.lock")
    assert first.take() is False, "nobody else compiles"
    waited: list[bool] = []
    waiting = threading.Thread(target=lambda: waited.append(second.take()))
    waiting.start()
    waiting.join(timeout=0.2)
    assert waiting.is_alive() and not waited
    first.release()
    waiting.join(timeout=60)
    assert waited == [True]
    second.release()
    assert free(tmp_path / "kernel.lock")


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    path = tmp_path / "kernel.lock"
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert not free(path)
        process.kill()
        process.wait()
    assert free(path)


def test_nobody_waits_for_ever_and_nobody_waits_where_no_file_can_be_locked(tmp_path: Path, monkeypatch: Any) -> None:
    first, late = CompileLock(tmp_path / "kernel.lock"), CompileLock(tmp_path / "kernel.lock")
    first.take()
    monkeypatch.setattr(compile_lock, "SECONDS_TO_WAIT", 0.05)
    assert late.take() is False, "it compiles for itself"
    first.release()
    (tmp_path / "file").touch()
    assert CompileLock(tmp_path / "file" / "kernel.lock").take() is False


def twins() -> tuple[Any, Any]:
    """The same kernel as two processes have it: one cache on disk, nothing shared in memory."""

    def kernel(x):  # type: ignore[no-untyped-def]
        return x * 3 + 1

    return jit()(kernel), jit()(kernel)


def test_a_kernel_that_another_process_compiles_is_awaited_and_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    mine, other = twins()

    def other_compiles() -> bool:
        assert other(1) == 4
        return True

    monkeypatch.setattr(mine._cache._lock, "take", other_compiles)
    assert mine(2) == 7
    assert sum(other.stats.cache_misses.values()) == 1, "one compiled it"
    assert (sum(mine.stats.cache_misses.values()), sum(mine.stats.cache_hits.values())) == (0, 1)


def test_the_lock_is_held_while_a_kernel_is_compiled_and_free_afterwards(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    kernel, _ = twins()
    path, held = kernel._cache._lock.path, []
    compiler = kernel._compiler.compile
    monkeypatch.setattr(kernel._compiler, "compile", lambda *given: held.append(not free(path)) or compiler(*given))
    assert kernel(2) == 7
    assert held == [True] and free(path)
    with pytest.raises(TypingError):
        kernel({})
    assert held == [True, True] and free(path), "also where a kernel cannot be compiled"
