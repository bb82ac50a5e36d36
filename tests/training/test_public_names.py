"""The public door of training: every name is there, and opening it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import training


@pytest.mark.parametrize("name", training.__all__)
def test_every_public_name_is_there(name):
    assert getattr(training, name) is not None and name in dir(training)


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="module 'training' has no attribute 'luck'"):
        training.luck  # noqa: B018


def test_import_training_stays_light():
    heavy = "[m for m in ('numpy', 'pandas', 'sklearn', 'lightgbm', 'mlflow', 'shap') if m in sys.modules]"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, training; print({heavy})"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
