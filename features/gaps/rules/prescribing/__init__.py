"""Care gaps of what is prescribed: doses, combinations, pregnancy, side effects, and no treatment at all."""
