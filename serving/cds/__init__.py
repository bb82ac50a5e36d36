"""CDS Hooks 2.0: cards in the clinician's own system, from the published list and from rules."""
