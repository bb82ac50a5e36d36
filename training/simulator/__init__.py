"""A simulated trust with known true risks: a day-by-day mechanism, the records it leaves, and the oracle. Everything
here is synthetic.
"""

from training.simulator.oracle import Truth, TruthError
from training.simulator.parameters import World
from training.simulator.simulation import SimulatedTrust, SimulationError, simulate

__all__ = ["SimulatedTrust", "SimulationError", "Truth", "TruthError", "World", "simulate"]
