"""Texts to people and their replies: fixed words out, closed codes in, everything else sealed for the team."""
