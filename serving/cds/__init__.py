"""CDS Hooks 2.0: shows cards in the clinician's own system, from the published list and from rules."""
