"""SMART App Launch: Upstream opened from inside a records system."""
