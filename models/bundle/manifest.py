"""The format of a bundle on disk, and the only way to open one: every byte is checked before anything is parsed.

A bundle is a folder of plain files: ``manifest.json``, one ``booster_<outcome>.txt`` per outcome,
``calibration.json``, ``features.json``, ``reference.json``, ``card.json`` and ``golden.json``; where each risk has a
range, also ``ranges.json`` and one ``spread_<outcome>.txt`` for each outcome that has them. The manifest holds the
SHA-256 of every other file and a digest of itself, so that one flipped bit anywhere is found. A bundles root holds
bundle folders and two small text files, ``current`` and ``last_good``, which each name one of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from models.errors import BundleDamaged, BundleIncompatible, BundleMissing

BUNDLE_FORMAT = 2
"""The format that is written. Format 2 added the margins of the golden rows and the version of numba."""

FORMAT_WITH_RANGES = 3
"""The format of a bundle with ranges. A release that does not know them refuses it by its format."""

FORMATS_READ = (1, 2, 3)
RANGES = "ranges.json"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
CURRENT = "current"
LAST_GOOD = "last_good"
JSON_FILES = ("calibration.json", "features.json", "reference.json", "card.json", "golden.json")

_LARGEST_FILE = 512 * 1024 * 1024
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*\.(json|txt)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class FileEntry(_Strict):
    sha256: Sha256
    bytes: int = Field(ge=0)


class OutcomeEntry(_Strict):
    booster: FileName
    horizons: tuple[int, ...] = Field(min_length=1)


class MadeWith(_Strict):
    """Versions of the libraries that made the bundle.

    ``check_versions`` refuses a format that this code does not know, and a newer major version of LightGBM than the
    installed one. All other differences are allowed, because the golden rows decide: if the libraries do not
    reproduce the recorded margins to 1e-12, the bundle is not served.
    """

    lightgbm: str
    numpy: str
    numba: str = ""
    upstream: str


class Manifest(_Strict):
    """Where a model came from and which files it has. ``notes`` keeps what the trainer adds beyond the named fields.

    ``not_promoted`` lists the gates that refused the model. It is empty for every model except a demo's
    (``models.bundle.not_promoted``). A release that does not know this field refuses the bundle.
    """

    format: int
    bundle_id: str = Field(pattern=rf"^{_ID.pattern}$")
    digest: Sha256
    created_at: datetime
    model_version: str
    run_id: str
    synthetic: bool
    data_hash: str
    code_commit: str
    feature_list_hash: str
    trained_on: JsonValue
    notes: dict[str, JsonValue]
    versions: MadeWith
    outcomes: dict[str, OutcomeEntry] = Field(min_length=1)
    files: dict[FileName, FileEntry]
    not_promoted: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The manifest as JSON data. An empty ``not_promoted`` is left out, because older releases do not know it."""
        written = self.model_dump(mode="json")
        if not self.not_promoted:
            del written["not_promoted"]
        return written

    def own_digest(self) -> str:
        """SHA-256 of the manifest without ``digest`` and ``bundle_id`` (which is made from it), keys sorted."""
        document = self.document()
        del document["digest"], document["bundle_id"]
        if self.format == 1:
            del document["versions"]["numba"]
        return sha256(canonical(document))


def canonical(value: Any) -> bytes:
    """JSON in one fixed form, for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def feature_list_hash(names: tuple[str, ...]) -> str:
    """SHA-256 of the feature names in order, one a line."""
    return sha256("\n".join(names).encode())


def read_verified(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the bytes of every file. Each is checked against its SHA-256, and the bytes returned are the
    bytes that were hashed.

    Raises ``BundleMissing``, ``BundleDamaged`` or ``BundleIncompatible``.
    """
    if not folder.is_dir():
        raise BundleMissing(
            f"no bundle at {folder}: expected a folder with {MANIFEST}; run `upstream sync` to write one"
        )
    manifest = _read_manifest(folder)
    expected = {MANIFEST, *manifest.files}
    found = {path.name for path in folder.iterdir()}
    if absent := sorted(expected - found):
        raise BundleDamaged(f"{folder.name}: {', '.join(absent)} is absent; the manifest lists it. {_REPAIR}")
    if extra := sorted(found - expected - {SIGNATURE}):
        raise BundleDamaged(
            f"{folder.name}: {', '.join(extra)} is not in the manifest; a bundle holds nothing else. {_REPAIR}"
        )
    contents = {name: _read_entry(folder, name, entry) for name, entry in manifest.files.items()}
    return manifest, contents


def verify(folder: Path | str) -> Manifest:
    """Checks every file of a bundle folder and returns its manifest. Raises the errors of ``read_verified``."""
    return read_verified(Path(folder))[0]


def locate(path: Path | str) -> Path:
    """The bundle folder for ``path``: ``path`` itself, or the folder that its ``current`` names."""
    path = Path(path)
    return current_bundle(path) if (path / CURRENT).is_file() else path


def current_bundle(root: Path | str) -> Path:
    """The folder that the pointer ``current`` of a bundles root names. Raises ``BundleMissing`` or
    ``BundleDamaged``."""
    return read_pointer(Path(root), CURRENT)


def read_pointer(root: Path, pointer: str) -> Path:
    try:
        text = (root / pointer).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise BundleMissing(
            f"{root} has no pointer `{pointer}`: nothing was published here; run `upstream sync`"
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not _ID.fullmatch(text):
        raise BundleDamaged(
            f"{root / pointer} does not hold a bundle id; publish a bundle again, or write its id into the file"
        )
    if not (root / text).is_dir():
        raise BundleMissing(f"{root / pointer} names {text}, which is not in {root}: run `upstream sync`")
    return root / text


_REPAIR = "Fetch the bundle again (`upstream sync`), or go back to the last good one (`upstream rollback`)."


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    data = _read_regular(path)
    try:
        raw = json.loads(data)
    except ValueError:
        raise BundleDamaged(f"{folder.name}: {MANIFEST} is not JSON. {_REPAIR}") from None
    if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] not in FORMATS_READ:
        raise BundleIncompatible(
            f"{folder.name}: bundle format {raw['format']}, this code reads {', '.join(map(str, FORMATS_READ))}; "
            "train again or use the matching release"
        )
    try:
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(str(part) for part in e["loc"]) or "the document" for e in error.errors()}))
        raise BundleDamaged(f"{folder.name}: {MANIFEST} is not as expected at {fields}. {_REPAIR}") from None
    if manifest.own_digest() != manifest.digest or not manifest.bundle_id.endswith(manifest.digest[:12]):
        raise BundleDamaged(f"{folder.name}: {MANIFEST} does not match its own digest: it was altered. {_REPAIR}")
    needed = {*JSON_FILES, *(outcome.booster for outcome in manifest.outcomes.values())}
    if manifest.format == FORMAT_WITH_RANGES:
        spreads = {f"spread_{name}.txt" for name in manifest.outcomes}
        needed |= {RANGES, *(spreads & set(manifest.files))}
    if needed != set(manifest.files):
        raise BundleDamaged(
            f"{folder.name}: {MANIFEST} lists {sorted(manifest.files)}, expected {sorted(needed)}. {_REPAIR}"
        )
    return manifest


def check_versions(manifest: Manifest) -> None:
    """Refuses a bundle made with a newer major version of LightGBM (rule in ``MadeWith``). Raises
    ``BundleIncompatible``.
    """
    made, here = manifest.versions.lightgbm, metadata.version("lightgbm")
    if _major(made) > _major(here):
        raise BundleIncompatible(
            f"{manifest.bundle_id}: made with LightGBM {made}, installed is {here}; its trees may mean something else. "
            f"Install {made}, or train again"
        )


def _major(version: str) -> int:
    head = version.partition(".")[0]
    # A version that cannot be read counts as newer than any.
    return int(head) if head.isdecimal() else 10**6


def _read_entry(folder: Path, name: str, entry: FileEntry) -> bytes:
    data = _read_regular(folder / name)
    if len(data) != entry.bytes:
        raise BundleDamaged(f"{folder.name}: {name} has {len(data)} bytes, the manifest says {entry.bytes}. {_REPAIR}")
    if (found := sha256(data)) != entry.sha256:
        raise BundleDamaged(
            f"{folder.name}: {name} has SHA-256 {found[:12]}…, the manifest says {entry.sha256[:12]}…: it was "
            f"altered. {_REPAIR}"
        )
    return data


def _read_regular(path: Path) -> bytes:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleDamaged(f"{path.parent.name}: {path.name} is not a plain file. {_REPAIR}")
        if status.st_size > _LARGEST_FILE:
            raise BundleDamaged(f"{path.parent.name}: {path.name} is larger than {_LARGEST_FILE} bytes. {_REPAIR}")
        return path.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise BundleMissing(f"{path.parent.name}: {path.name} is absent. {_REPAIR}") from None
        raise BundleDamaged(f"{path.parent.name}: {path.name} cannot be read: {error.strerror}. {_REPAIR}") from error
