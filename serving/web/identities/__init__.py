"""Pages about who somebody is: the search, and the way to the trust's own record."""
