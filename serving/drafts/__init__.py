"""What somebody filled in about a person and did not record: kept sealed for its own author until they sign in
again."""
