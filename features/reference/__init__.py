"""What medicine says: the fact tables, and typed access to them. Every row names its source; rows marked unverified stay marked."""

from features.reference.clinical_tests import TESTS, ClinicalTest, Conversion
from features.reference.files import ReferenceError, is_unverified, read_rows
from features.reference.medicines import MEDICINES, Medicine, in_scope, medicines_in
from features.reference.protocols import PROTOCOLS, Protocol
from features.reference.thresholds import THRESHOLDS, Threshold

__all__ = [
    "MEDICINES",
    "PROTOCOLS",
    "TESTS",
    "THRESHOLDS",
    "ClinicalTest",
    "Conversion",
    "Medicine",
    "Protocol",
    "ReferenceError",
    "Threshold",
    "in_scope",
    "is_unverified",
    "medicines_in",
    "read_rows",
]
