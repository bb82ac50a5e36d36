"""What the UK GDPR asks of data that is kept: a copy for the person, erasure, and an end to keeping."""
