"""A model text whose cover is 0 is refused by our own reader, before LightGBM's stops the process."""

from __future__ import annotations

import re

import lightgbm
import numpy as np
import pytest

from models.errors import TreesError
from models.shapley import TreeShapley


@pytest.fixture(scope="module")
def text():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    labels = (x[:, 0] + rng.normal(size=500) > 0).astype(float)
    settings = {"objective": "binary", "verbosity": -1, "num_leaves": 8, "max_depth": 3}
    return lightgbm.train(settings, lightgbm.Dataset(x, labels), 3).model_to_string()


@pytest.mark.parametrize("cover", ["0", "-3"])
@pytest.mark.parametrize("name", ["leaf_count", "internal_count"])
def test_a_cover_below_one_is_refused_with_the_tree_that_holds_it(text, name, cover):
    first = re.sub(rf"({name}=)\d+", rf"\g<1>{cover}", text, count=1)
    first = re.sub(r"tree_sizes=[^\n]*\n", "", first)
    with pytest.raises(TreesError, match=f"tree 0: {name} holds a cover below 1"):
        TreeShapley(first)


def test_an_honest_text_is_read(text):
    assert TreeShapley(text).tabulated
