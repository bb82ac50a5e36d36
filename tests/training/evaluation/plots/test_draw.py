"""The calibration plot draws what the evaluation says, however odd the interval."""

import matplotlib.figure
import pytest

from training.evaluation.plots.draw import _calibration
from training.evaluation.schema.scores import Figure


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(0.2, 0.1, 0.3), (0.05, 0.1, 0.3), (0.4, 0.1, 0.3)],
    ids=["the value within its interval", "below it: few draws, all of them higher", "above it"],
)
def test_the_interval_of_listed_people_is_drawn_from_low_to_high(trained, value, low, high):
    pair = trained[1].evaluation.pairs["admission_90"]
    observed = Figure(value=value, low=low, high=high)
    axes = matplotlib.figure.Figure().subplots()
    _calibration(axes, pair.model_copy(update={"listed": pair.listed.model_copy(update={"observed": observed})}))
    (bar,) = axes.containers
    (segment,) = bar.lines[2][0].get_segments()
    assert segment[:, 1] == pytest.approx([low, high])
    (dot,) = (line for line in axes.lines if line.get_label() == "those who made a list")
    assert list(dot.get_ydata()) == [value]
    assert axes.get_ylim()[1] >= max(value, high)
