"""Texts to people and their replies. Texts have fixed words. Replies are read as closed codes; all other words are
sealed for the team.
"""
