"""Commands that score and serve. Each imports its packages when it runs, so that ``--help`` is quick.

Importing a module adds its commands to their group, in the order in which help lists them.
"""

from serving.cli import service, access, audit_log, people, texts  # isort: skip
from serving.cli.groups import app, audit, identities, keys, person, texting, token
from serving.cli.secret_files import read_secret_files

__all__ = [
    "access",
    "app",
    "audit",
    "audit_log",
    "identities",
    "keys",
    "people",
    "person",
    "read_secret_files",
    "service",
    "texting",
    "texts",
    "token",
]
