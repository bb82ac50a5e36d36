"""Identities of people: name, date of birth and NHS number, if the trust gives them. Sealed at rest, read by pages
only.
"""
