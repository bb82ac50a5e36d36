"""The forms of a page: what is filled in, and what is refused."""
