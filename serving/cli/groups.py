"""The groups of commands that this package adds to ``upstream``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from features.console import CommandError, command_group

if TYPE_CHECKING:
    from serving.settings import ServiceSettings

app = command_group("Score and serve.")
audit = command_group("The audit log.")
identities = command_group("Names and NHS numbers that pages show.")
keys = command_group("Keys that sign bundles and checkpoints of the audit log.")
person = command_group("What is held about one person: a copy of it, and its erasure.")
texting = command_group("Texts: numbers and consent, replies after an outage, how long texts are kept.")
token = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def settings_of(home: Path) -> ServiceSettings:
    """The settings that the service has, for a command. Raises ``CommandError`` with what is wrong where."""
    from pydantic import ValidationError

    from serving.settings import ServiceSettings

    try:
        return ServiceSettings(home=home)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors())
        raise CommandError(f"the settings cannot be used: {wrong}") from None
