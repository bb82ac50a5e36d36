"""What is known about people, and since when: tables, validation, storage and sources."""

from features.records.days import NO_DAY, date_of, day_of
from features.records.problems import LoadReport, Problem, RecordsError
from features.records.records import Records
from features.records.tables import TABLES, TableSpec

__all__ = ["NO_DAY", "TABLES", "LoadReport", "Problem", "Records", "RecordsError", "TableSpec", "date_of", "day_of"]
