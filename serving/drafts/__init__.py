"""A review that was filled in and not recorded: kept sealed for its own author until they sign in again."""
