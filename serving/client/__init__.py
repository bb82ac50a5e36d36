"""A small client of the interface for Python programs: one method for each operation, answers as typed dictionaries.

>>> from serving.client import Upstream
>>> with Upstream("https://upstream.example", token) as upstream:
...     for team in upstream.teams()["items"]:
...         upstream.worklist(team["team_id"], limit=20)

``operations`` and ``shapes`` are written from ``docs/openapi.json`` by ``python -m serving.write_client``.
"""

from serving.client.connection import CallRefused, Unreachable
from serving.client.operations import Upstream

__all__ = ["CallRefused", "Unreachable", "Upstream"]
