"""The root of every error that a person at the keyboard can put right.

Errors of ``features``, ``models``, ``training`` and ``serving`` derive from it, each from the class that its package
documents. The command line prints the message of such an error and ends with exit code 1. Any other error is a mistake
in the program and keeps its traceback: a breach of a rule of ours, such as ``UnscopedQuery``, must never look like a
user's slip.
"""

from __future__ import annotations


class UpstreamError(Exception):
    """A person can put it right. The message says what was found, what was expected and what to do."""


class SettingsError(UpstreamError):
    """mlflow.yaml cannot be read as settings."""
