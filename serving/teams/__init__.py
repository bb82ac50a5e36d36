"""A team as a whole: who is new and who left its list, overdue or missing care, reviews against capacity, and
equality.
"""
