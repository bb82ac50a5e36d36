"""The evidence file: reporting tables, model card, transparency record and hazard log, written from a run. No number
in it is typed by hand.
"""
