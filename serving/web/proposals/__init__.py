"""The page on which somebody accepts what is proposed for a person."""
