"""Care gaps of engagement: contact, recent changes, reviews and support."""
