"""Reads the rows of one person of which nothing needs saying, as nearly all are: the way a request comes in.

A table is plain where every cell is understood at once, lies in its range, and no row is set aside or put together with
another. Such a table is read, checked and sorted as plain lists, and the arrays of all tables are made together: arrays
of a few rows cost more to pass around than to compute. Of any other table this reader says nothing, and the usual steps
(:mod:`features.records.loading.loading`) read it; what both say of a plain table is the same.
"""
