"""Medical reference tables, and typed access to them. Every row names its source; unverified rows stay marked."""

from features.reference.files import ReferenceTableError, is_unverified, read_rows
from features.reference.medicines.interactions import INTERACTIONS, Interaction, between, groups, medicines_meant, pairs
from features.reference.medicines.medicines import MEDICINES, Medicine, in_scope, medicines_in
from features.reference.monitoring.clinical_tests import TESTS, ClinicalTest, Conversion
from features.reference.monitoring.protocols import PROTOCOLS, Protocol
from features.reference.monitoring.thresholds import THRESHOLDS, Threshold, bands, high_limit, low_limit

__all__ = [
    "INTERACTIONS",
    "MEDICINES",
    "PROTOCOLS",
    "TESTS",
    "THRESHOLDS",
    "ClinicalTest",
    "Conversion",
    "Interaction",
    "Medicine",
    "Protocol",
    "ReferenceTableError",
    "Threshold",
    "bands",
    "between",
    "groups",
    "high_limit",
    "in_scope",
    "is_unverified",
    "low_limit",
    "medicines_in",
    "medicines_meant",
    "pairs",
    "read_rows",
]
