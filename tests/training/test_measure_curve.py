"""The learning curve past memory: trees from pieces are those of all rows at once, and a planted curve is found."""

from types import SimpleNamespace

import numpy as np
import pytest

from training.errors import NotEnoughData
from training.fitting.stacked import StackedRows
from training.measure_curve import curve, those_of
from training.pieces import PieceOfPeople, grow_on_pieces
from training.settings import TrainingSettings

DAYS = (28, 90)
FEATURES = tuple(SimpleNamespace(name=name, direction=0) for name in ("one", "two", "three"))
FEW = TrainingSettings(trees=20, min_rows_in_leaf=20, l2=1.0, by_outcome={})


def piece(seed, people=300):
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), 2)
    values = rng.normal(size=(len(person), 3)).astype(np.float32)
    labels = {}
    for days in DAYS:
        label = (rng.random(len(person)) < 1 / (1 + np.exp(2 - values[:, 0]))).astype(np.float32)
        labels[f"admission_{days}"] = np.where(rng.random(len(person)) < 0.1, np.nan, label).astype(np.float32)
    return PieceOfPeople(values, labels, person)


def test_trees_from_pieces_in_files_are_those_of_all_rows_in_memory(tmp_path):
    made = [piece(1), piece(2)]
    for number, one in enumerate(made):
        one.save(tmp_path / str(number))
    read = [PieceOfPeople.load(tmp_path / str(number)) for number in range(2)]
    assert isinstance(read[0].values, np.memmap)
    values = np.concatenate([one.values for one in made])
    labels = np.column_stack([np.concatenate([one.labels[f"admission_{days}"] for one in made]) for days in DAYS])
    rows = np.ones(len(values), dtype=bool)
    whole = StackedRows.of(values, labels.astype(np.float64), rows, DAYS, "admission", FEATURES, FEW).grow()
    pieces = grow_on_pieces(read, DAYS, "admission", FEATURES, FEW)
    assert pieces.model_to_string() == whole.model_to_string()


def test_people_are_counted_through_the_pieces():
    pieces = [piece(1, 10), piece(2, 10)]
    some = those_of(pieces, 8, 13)
    assert [one.person.tolist() for one in some] == [[8, 8, 9, 9], [0, 0, 1, 1, 2, 2]]
    assert np.array_equal(some[1].values, pieces[1].values[:6])
    assert [len(one.labels["admission_28"]) for one in some] == [4, 6]


def test_pieces_without_events_are_refused():
    none = piece(1)
    none = PieceOfPeople(none.values, {name: np.zeros_like(of) for name, of in none.labels.items()}, none.person)
    with pytest.raises(NotEnoughData):
        grow_on_pieces([none], DAYS, "admission", FEATURES, FEW)


def test_a_planted_curve_is_found_and_what_larger_sizes_gain_beside_it_is_shown():
    sizes = np.array([1_000, 4_000, 16_000, 100_000])
    planted = {int(size): np.full((2, 5), 0.8 - 1.5 / np.sqrt(size)) for size in sizes}
    found = curve(planted, 16_000, 1_000_000)
    assert found["limit"]["value"] == pytest.approx(0.8, abs=1e-6)
    assert found["points"][-1]["measured_less_predicted"]["value"] == pytest.approx(0, abs=1e-6)
    planted[100_000] += 0.01
    found = curve(planted, 16_000, 1_000_000)
    assert found["points"][-1]["measured_less_predicted"]["value"] == pytest.approx(0.01, abs=1e-6)
    assert found["gain_to_1000000"]["value"] == pytest.approx(
        found["at_1000000"]["value"] - planted[100_000][0, 0], abs=1e-5
    )
