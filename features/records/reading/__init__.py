"""Files and single values as they arrive: CSV, Parquet, dates, ids and NHS numbers."""
