"""The groups of commands that this package adds to ``upstream``."""

from __future__ import annotations

import typer

from features.console import command_group

app = command_group("Score and serve.")
audit = command_group("The audit log.")
identities = command_group("Names and NHS numbers that pages show.")
keys = command_group("Keys that sign bundles and checkpoints of the audit log.")
person = command_group("What is held about one person: a copy of it, and its erasure.")
texting = command_group("Texts: numbers and consent, replies after an outage, how long texts are kept.")
token = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
