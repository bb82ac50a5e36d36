"""Sequential tests of a model that serves, the steps of repair, and trials of both on simulated trusts."""
