"""The page of a list: of one team, or over all teams of the caller; and the filters that somebody saved."""
