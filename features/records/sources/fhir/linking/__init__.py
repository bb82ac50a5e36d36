"""Links the rows of an extract: references to people, an appointment and its encounter to one contact, doses to
supplies.
"""
