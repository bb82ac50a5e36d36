"""``python -m serving.openapi docs/openapi.json`` writes the committed description of the interface; a test compares
it with the running service."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from serving.app import create_app
from serving.settings import ServiceSettings


def document() -> str:
    """The OpenAPI document as committed: sorted, indented, without our version, which changes with every release."""
    described = create_app(ServiceSettings(home=Path(), database_url="sqlite://", environment="production")).openapi()
    described = described | {"info": described["info"] | {"version": "see /version"}}
    return json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
