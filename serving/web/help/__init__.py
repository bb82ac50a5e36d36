"""Help for every page, and the glossary of the words that are left on them."""
