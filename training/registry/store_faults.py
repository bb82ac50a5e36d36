"""Tells absence from failure: only "there is no such thing" is absence; everything else is a named error."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from training.errors import StoreFault, TrainingError

ON_THE_WAY: tuple[type[Exception], ...] = (SQLAlchemyError, ImportError, OSError)
"""Refused by a database, missing driver, or faults of the network and of files."""
_SECRET = re.compile(r"://[^/@\s]+@")


def is_absence(error: Any) -> bool:
    """Whether the store reported that there is no such model, version, alias or run.

    MLflow reports this as RESOURCE_DOES_NOT_EXIST, and for an alias as INVALID_PARAMETER_VALUE with these words. A
    404 from another program, such as a login page, has neither.
    """
    code, words = getattr(error, "error_code", None), str(error)
    if code == "RESOURCE_DOES_NOT_EXIST":
        return True
    return code == "INVALID_PARAMETER_VALUE" and "alias" in words.lower() and "not found" in words


def without_password(text: str) -> str:
    """An address, or a text that holds one, without the user and password in it."""
    return _SECRET.sub("://***@", text)


@contextlib.contextmanager
def naming_faults(uri: str, doing: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turns any error of the store or of the connection to it into StoreFault, with the address and the cause.

    ``errors`` are the types that count as a fault: MLflow's own and, if only the store was called, ``ON_THE_WAY``.
    """
    try:
        yield
    except TrainingError:
        raise
    except errors as error:
        cause = without_password(" ".join(str(error).split()))[:400]
        raise StoreFault(
            f"{doing}: the MLflow store at {without_password(uri)} did not answer as it should "
            f"({type(error).__name__}: {cause}). {_advice(error, uri)}"
        ) from error


def _advice(error: Exception, uri: str) -> str:
    words = str(error)
    if isinstance(error, ImportError):
        return "Install the driver of that database (extra [postgres]), and run again."
    if ("schema" in words and "upgrade" in words) or "out-of-date" in words or "Can't locate revision" in words:
        return "Its database belongs to another version of MLflow: run `mlflow db upgrade` on it, or use its version."
    if any(word in words for word in ("401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED")):
        return "Sign in to that server (MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD), and run again."
    if not re.match(r"(https?|postgresql|mysql|mssql|sqlite|file|databricks)", uri):
        return "Its address is none that MLflow knows: correct tracking.uri in the settings."
    return "Check that it is up and that tracking.uri names it, and run again; nothing was changed here."
