"""What is known about people, turned into features in time and certain care gaps.

The public door: ``from features import Records, build, find_gaps, CATALOGUE, proportion_of_days_covered``.
"""

from features.records import Records, RecordsError

__all__ = ["Records", "RecordsError"]
