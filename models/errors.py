"""All errors of this package. A message says what was found, what was expected and what to do. It never holds a
patient's value.

ModelError
    TreesError            a booster's text cannot be read, or holds trees that exact contributions do not cover
    CalibrationError      margins and labels that allow no calibration within the rules
    FeatureMismatch       a matrix whose features are not the model's, in the model's order
    BundleError
        BundleMissing     nothing where a bundle or a pointer should be
        BundleDamaged     a file is absent, extra, truncated or altered
        BundleIncompatible  written in a format, or by a library, that this code does not read
        BundleRefused     the self-test or a rule failed: the files are whole, the model must not serve
        BundleBusy        another publisher holds the lock
        BundleUnwritable  the disk refused a write; nothing was changed
        SignatureInvalid  signed by nobody who is trusted, or altered after it was signed
    KeyUnusable           a key file that is absent, of another kind, or open to others
"""

from __future__ import annotations

from features.errors import UpstreamError


class ModelError(UpstreamError):
    """Root of the errors of ``models``."""


class TreesError(ModelError, ValueError):
    pass


class CalibrationError(ModelError, ValueError):
    pass


class FeatureMismatch(ModelError, ValueError):
    pass


class BundleError(ModelError):
    pass


class BundleMissing(BundleError):
    pass


class BundleDamaged(BundleError):
    pass


class BundleIncompatible(BundleError):
    pass


class BundleRefused(BundleError):
    pass


class BundleBusy(BundleError):
    pass


class BundleUnwritable(BundleError):
    pass


class SignatureInvalid(BundleError):
    pass


class KeyUnusable(ModelError):
    pass


class LockBroken(ModelError):
    """Locked scores are missing, were changed, or exist already."""
