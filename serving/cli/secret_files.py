"""Settings that hold a secret and may be given as a file, as systemd and containers hand over secrets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SECRETS = ("UPSTREAM_DATABASE_URL", "UPSTREAM_OIDC", "UPSTREAM_TEXTING")
"""Settings that hold a secret and may be given as a file: the variable with ``_FILE`` names it."""


def read_secret_files() -> None:
    """Sets each of ``SECRETS`` from the file that its ``_FILE`` variable names. Stops with a clear error where the file
    cannot be read, or where both are set.
    """
    for name in SECRETS:
        path = os.environ.pop(f"{name}_FILE", "")
        if not path:
            continue
        if name in os.environ:
            sys.exit(f"{name} and {name}_FILE are both set; keep one of them")
        try:
            os.environ[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"{name}_FILE: the file cannot be read ({type(error).__name__}); check its path and its rights")
