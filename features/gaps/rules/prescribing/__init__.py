"""Care gaps of prescribing: doses, combinations, pregnancy, side effects, and no treatment."""
