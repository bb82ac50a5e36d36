"""The rates that a simulated trust has, beside the published ones that it is held to."""
