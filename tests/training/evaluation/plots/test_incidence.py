"""The picture of what came first holds what the evaluation says."""

import numpy as np
import pytest

from training.evaluation.plots import incidence


def test_the_areas_add_up_and_the_points_are_those_of_each_horizon(trained):
    pairs = trained[1].evaluation.pairs
    figures = incidence.stacked(pairs)
    assert sorted(figures) == ["incidence_admission", "incidence_disengagement"]
    curves, fifths = figures["incidence_admission"].axes
    own = [pair for pair in pairs.values() if pair.outcome == "admission"]
    lines = {line.get_label(): line for line in curves.lines}
    risks = [pair.cumulative_incidence.mean_risk.value for pair in own]
    assert lines["model's mean risk"].get_xdata().tolist() == [pair.horizon for pair in own] == [28, 90, 180]
    assert lines["model's mean risk"].get_ydata().tolist() == risks
    found = own[-1].cumulative_incidence
    edge = curves.collections[0].get_paths()[0].vertices
    assert edge[:, 1].max() == pytest.approx(found.curve.event[-1])
    (dots,) = (line for line in fifths.lines if line.get_label() == "event first, 95%")
    assert np.asarray(dots.get_ydata()).tolist() == [one.event.value for one in found.fifths]


def test_an_outcome_without_a_curve_has_no_picture(trained):
    pairs = trained[1].evaluation.pairs
    older = {name: pair.model_copy(update={"cumulative_incidence": None}) for name, pair in pairs.items()}
    assert incidence.stacked(older) == {}
