"""The proof that no feature and no care gap reads the future, and the statement of it that goes with a model."""

from features.leakage.prove import prove
from features.leakage.statement import Difference, Statement

__all__ = ["Difference", "Statement", "prove"]
