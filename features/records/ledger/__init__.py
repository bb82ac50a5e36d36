"""The version ledger: records on which day each version was first seen, so that the store of any earlier day can be
rebuilt.
"""

from features.records.ledger.ledger import Appended, Ledger, State, Versions

__all__ = ["Appended", "Ledger", "State", "Versions"]
