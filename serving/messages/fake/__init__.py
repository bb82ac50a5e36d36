"""An imitation of GOV.UK Notify on this machine, with phones that a person can answer. For the demo and for tests."""
