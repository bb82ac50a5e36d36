"""The root of all errors that the user can solve.

Errors of ``features``, ``models``, ``training`` and ``serving`` derive from it, each from the class that its package
documents. The command line prints the message of such an error and ends with exit code 1. Any other error is a bug
and keeps its traceback. A breach of our own rules, such as ``UnscopedQuery``, must never look like a user's mistake.
"""

from __future__ import annotations


class UpstreamError(Exception):
    """The user can solve it. The message says what was found, what was expected and what to do."""


class SettingsError(UpstreamError):
    """mlflow.yaml cannot be read as settings."""
