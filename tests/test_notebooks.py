"""The notebooks run from top to bottom, say that their data are synthetic, and keep small outputs that a reader needs
no kernel for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 20_000


def test_the_four_notebooks_are_there():
    names = {path.stem for path in NOTEBOOKS}
    assert names == {"first_look", "features_and_leakage", "train_and_explain", "compare_on_your_own_data"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_readable_without_running(path):
    book = nbformat.read(path, 4)
    nbformat.validate(book)
    assert path.stat().st_size < MOST_BYTES
    assert book.cells[0].cell_type == "markdown" and "**Synthetic data.**" in book.cells[0].source
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert outputs, "the notebook was saved without its outputs"
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    text = path.read_text(encoding="utf-8")
    assert str(ROOT) not in text and "site-packages" not in text, "an output names a place on somebody's machine"


RUN = """
import sys
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

book = nbformat.read(sys.argv[1], 4)
kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")
NotebookClient(book, km=kernel, timeout=280).execute()
nbformat.write(book, sys.argv[2])
"""
"""In a process of its own, because the kernel's sockets are closed when it ends; the kernel listens on no port."""


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_as_much_as_was_saved(path, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    out = tmp_path / path.name
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(path), str(out)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    saved, now = ([_texts(cell) for cell in nbformat.read(one, 4).cells] for one in (path, out))
    assert [len(texts) for texts in now] == [len(texts) for texts in saved]


def _texts(cell: nbformat.NotebookNode) -> list[str]:
    return [
        str(output.get("text") or output.data["text/plain"])
        for output in cell.get("outputs", [])
        if output.get("name") != "stderr"
    ]
