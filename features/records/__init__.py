"""The records of people and the day on which each row became known: tables, validation, storage and sources."""

from features.records.days import NO_DAY, date_of, day_of
from features.records.problems import LoadReport, RecordsError, RecordsProblem
from features.records.records import Records
from features.records.tables import TABLES, TableSpec

__all__ = [
    "NO_DAY",
    "TABLES",
    "LoadReport",
    "Records",
    "RecordsError",
    "RecordsProblem",
    "TableSpec",
    "date_of",
    "day_of",
]
