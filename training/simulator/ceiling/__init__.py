"""The ceiling: the risk that somebody could state who knows the mechanism but sees only the records.

A cloud of particles stands for the hidden course that a person may have had. Each particle lives through every day by
the simulator's own rules, and is weighted by how likely it makes what was recorded on that day.
"""

from training.simulator.ceiling.risk import FilteredRisk, filtered_risk
from training.simulator.ceiling.run import HIDDEN

__all__ = ["HIDDEN", "FilteredRisk", "filtered_risk"]
