"""Figures by group and team: who is in which, small numbers suppressed, who is found less often by more than luck."""
