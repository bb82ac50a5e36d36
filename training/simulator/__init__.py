"""A simulated trust whose truth is known: a day-by-day mechanism, the records it leaves, and the oracle. Everything here is synthetic."""

from .trust import SimulatedTrust, SimulationError, simulate
from .truth import Truth, TruthError
from .world import World

__all__ = ["SimulatedTrust", "SimulationError", "Truth", "TruthError", "World", "simulate"]
