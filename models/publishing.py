"""Writes and publishes bundles, completely or not at all.

``write_bundle`` writes next to its target, syncs, and renames. ``publish`` copies a bundle under a root, runs its
self-test there, sets ``last_good`` to the bundle served before, and only then replaces the pointer ``current`` by one
rename. If the process is killed at any step, the pointer still names a complete bundle.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models.bundle.atomic import beside, locked, sweep, write_folder, write_pointer, writing_to
from models.bundle.input_summary import golden_rows, summarise
from models.bundle.manifest import (
    BUNDLE_FORMAT,
    CURRENT,
    FORMAT_WITH_RANGES,
    LAST_GOOD,
    MANIFEST,
    RANGES,
    SIGNATURE,
    FileEntry,
    MadeWith,
    Manifest,
    OutcomeEntry,
    current_bundle,
    feature_list_hash,
    read_pointer,
    read_verified,
    sha256,
    verify,
)
from models.bundle.not_promoted import marked, refuse_unless_demo
from models.bundle.signature import read_signature, refuse_unsigned
from models.calibration import Calibration
from models.errors import BundleDamaged, BundleError, BundleMissing, BundleRefused
from models.explain.protected import refuse_protected
from models.explain.reasons import ConceptText, FeatureText, check_wording
from models.ranges import FittedRanges
from models.risk_model import RiskModel, stack_horizons
from models.signing import Signature

if TYPE_CHECKING:
    import lightgbm

__all__ = [
    "CURRENT",
    "LAST_GOOD",
    "current_bundle",
    "last_good_bundle",
    "publish",
    "rollback",
    "verify",
    "write_bundle",
]

Floats = NDArray[np.float64]


class FeatureLike(Protocol):
    """The attributes of a feature that a bundle needs; ``features.engine`` defines the real class."""

    @property
    def name(self) -> str: ...
    @property
    def concept(self) -> str: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def direction(self) -> int: ...
    @property
    def missing(self) -> str: ...
    @property
    def why(self) -> str: ...


def write_bundle(
    folder: Path | str,
    *,
    boosters: Mapping[str, lightgbm.Booster],
    calibration: Mapping[str, Calibration],
    horizons: Mapping[str, Sequence[int]],
    features: Sequence[FeatureLike],
    reference_matrix: NDArray[np.floating],
    card: Mapping[str, Any],
    provenance: Mapping[str, Any],
    concepts: Mapping[str, Any] | None = None,
    ranges: FittedRanges | None = None,
) -> Path:
    """Writes a bundle to ``folder``, which must not exist, and returns its path.

    ``features`` are objects with the attributes of ``FeatureLike``, in the order of the boosters' columns, whose last
    column is ``horizon_days``. ``reference_matrix`` (rows, features) is summarised, never stored. ``provenance`` must
    state ``synthetic``; of its other keys, run_id, model_version, data_hash, code_commit, feature_list_hash and
    trained_on are fields of the manifest, and the rest goes to its notes. ``concepts`` maps a concept to an object
    or mapping with label, raises and lowers; by default ``features.catalogue.CONCEPTS``. ``ranges`` give each risk its
    range (``models.ranges``).

    Raises ``BundleRefused`` if the parts do not fit together and ``BundleUnwritable`` if the disk refuses. Either
    leaves nothing behind.
    """
    folder = Path(folder)
    if folder.exists():
        raise BundleRefused(f"{folder} exists: a bundle is never overwritten; give a new folder")
    texts = tuple(_feature_text(feature) for feature in features)
    names = tuple(text.name for text in texts)
    served = {name: tuple(int(h) for h in days) for name, days in horizons.items()}
    _check_parts(boosters, calibration, served, names, reference_matrix)
    refuse_protected(texts)
    wording = _wording(texts, concepts)
    contents = {f"booster_{name}.txt": booster.model_to_string().encode() for name, booster in boosters.items()}
    contents |= {
        "calibration.json": _json({name: calibration[name].to_json() for name in boosters}),
        "features.json": _json(
            {
                "features": [vars(text) for text in texts],
                "concepts": {c.slug: {"label": c.label, "raises": c.raises, "lowers": c.lowers} for c in wording},
            }
        ),
        "reference.json": _json(summarise(reference_matrix, names)),
        "card.json": _json(dict(card)),
        "golden.json": _json(_golden(boosters, calibration, golden_rows(reference_matrix), ranges)),
    }
    if ranges is not None:
        contents[RANGES] = _json(ranges.document.model_dump(mode="json"))
        for name, entry in ranges.document.outcomes.items():
            contents[entry.booster] = ranges.boosters[name].model_to_string().encode()
    manifest = _manifest(contents, served, names, provenance)
    contents[MANIFEST] = _json(manifest.document())
    with writing_to(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_folder(folder, contents)
    return folder


def publish(
    root: Path | str,
    bundle_folder: Path | str,
    *,
    not_promoted: Sequence[str] = (),
    signature: Signature | None = None,
    wait_seconds: float = 10.0,
) -> Path:
    """Puts a bundle into service: copies it to ``root/<bundle_id>``, runs its self-test there, and sets ``current``.
    Returns the new folder.

    ``not_promoted`` are the gates that refused the model: the copy is marked with them, and published only where
    ``root`` is in the home of a demo and the model was trained on synthetic data. ``signature`` is that of its
    promotion, by default the one in the folder. Raises ``BundleRefused`` elsewhere, ``SignatureInvalid`` where the
    home of ``root`` trusts keys and none of them signed, ``BundleBusy`` where another publisher keeps the lock for
    ``wait_seconds``, and any ``BundleError``; then ``current`` is as it was.
    """
    root, source = Path(root), Path(bundle_folder)
    with writing_to(root):
        root.mkdir(parents=True, exist_ok=True)
        with locked(root, wait_seconds):
            sweep(root)
            manifest, contents = read_verified(source)
            if not_promoted:
                manifest = marked(manifest, not_promoted)
            refuse_unless_demo(manifest, root.parent)
            signature = None if not_promoted else signature or read_signature(source)
            refuse_unsigned(manifest, signature, root.parent)
            contents[MANIFEST] = _json(manifest.document())
            if signature is not None:
                contents[SIGNATURE] = signature.model_dump_json().encode()
            target = root / manifest.bundle_id
            if not _is_whole(target) or read_signature(target) != signature:
                if target.exists():
                    target.rename(beside(target))
                write_folder(target, contents)
            RiskModel.load(target, self_test=True)
            _swap(root, target)
    return target


def rollback(root: Path | str, *, wait_seconds: float = 10.0) -> Path:
    """Points ``current`` at the last good bundle after a self-test, and ``last_good`` at the bundle served until now.
    Returns the folder that now serves.
    """
    root = Path(root)
    with writing_to(root), locked(root, wait_seconds):
        target = last_good_bundle(root)
        manifest = verify(target)
        refuse_unless_demo(manifest, root.parent)
        refuse_unsigned(manifest, read_signature(target), root.parent)
        RiskModel.load(target, self_test=True)
        _swap(root, target)
    return target


def last_good_bundle(root: Path | str) -> Path:
    """The folder that served before the current one. Raises ``BundleMissing`` if there is none."""
    return read_pointer(Path(root), LAST_GOOD)


def _swap(root: Path, target: Path) -> None:
    with contextlib.suppress(BundleMissing, BundleDamaged):
        before = current_bundle(root)
        if before != target and _is_whole(before):
            write_pointer(root, LAST_GOOD, before.name)
    write_pointer(root, CURRENT, target.name)


def _is_whole(folder: Path) -> bool:
    try:
        verify(folder)
    except BundleError:
        return False
    return True


def _manifest(
    contents: Mapping[str, bytes],
    horizons: Mapping[str, tuple[int, ...]],
    names: tuple[str, ...],
    provenance: Mapping[str, Any],
) -> Manifest:
    notes = dict(provenance)
    if not isinstance(notes.get("synthetic"), bool):
        raise BundleRefused("provenance does not say whether the data is synthetic: give synthetic=True or False")
    text = {
        key: str(notes.pop(key, "") or "")
        for key in ("model_version", "run_id", "data_hash", "code_commit", "feature_list_hash")
    }
    text["feature_list_hash"] = text["feature_list_hash"] or feature_list_hash(names)
    draft = Manifest(
        format=FORMAT_WITH_RANGES if RANGES in contents else BUNDLE_FORMAT,
        bundle_id="draft",
        digest="0" * 64,
        created_at=datetime.now(UTC).replace(microsecond=0),
        synthetic=notes.pop("synthetic"),
        trained_on=json.loads(_json(notes.pop("trained_on", None))),
        notes=json.loads(_json(notes)),
        versions=MadeWith(
            lightgbm=metadata.version("lightgbm"),
            numpy=np.__version__,
            numba=metadata.version("numba"),
            upstream=_own_version(),
        ),
        outcomes={name: OutcomeEntry(booster=f"booster_{name}.txt", horizons=days) for name, days in horizons.items()},
        files={name: FileEntry(sha256=sha256(data), bytes=len(data)) for name, data in sorted(contents.items())},
        not_promoted=(),
        **text,
    )
    digest = draft.own_digest()
    label = (
        re.sub(r"[^a-z0-9]+", "-", (text["model_version"] or text["run_id"] or "model").lower()).strip("-")[:40]
        or "model"
    )
    return draft.model_copy(update={"digest": digest, "bundle_id": f"{label}-{digest[:12]}"})


def _golden(
    boosters: Mapping[str, lightgbm.Booster],
    calibration: Mapping[str, Calibration],
    rows: Floats,
    ranges: FittedRanges | None = None,
) -> dict[str, Any]:
    """Expected outputs from LightGBM itself, so that the self-test compares two independent ways to score."""
    expected = {}
    for name, booster in boosters.items():
        fitted = calibration[name]
        stacked = stack_horizons(rows, fitted.horizons)
        margin = cast(Floats, booster.predict(stacked, raw_score=True, num_threads=1)).reshape(len(rows), -1)
        shap = fitted.slope * cast(Floats, booster.predict(stacked, pred_contrib=True, num_threads=1)).reshape(
            len(rows), len(fitted.horizons), -1
        )
        expected[name] = {
            "margin": margin.tolist(),
            "probability": fitted.probability(margin).tolist(),
            "contribution_sum": shap[:, :, :-2].sum(axis=2).tolist(),
            "contribution_size": np.abs(shap[:, :, :-2]).sum(axis=2).tolist(),
            "horizon_part": shap[:, :, -2].tolist(),
        }
        if ranges is not None and name in ranges.document.outcomes:
            spread = cast(Floats, ranges.boosters[name].predict(stacked, raw_score=True, num_threads=1))
            ends = ranges.document.outcomes[name].range_of(fitted.logit(margin), spread.reshape(margin.shape))
            expected[name] |= {"low": ends[0].tolist(), "high": ends[1].tolist()}
    return {"rows": [[None if np.isnan(v) else v for v in row] for row in rows.tolist()], "expected": expected}


def _check_parts(
    boosters: Mapping[str, lightgbm.Booster],
    calibration: Mapping[str, Calibration],
    horizons: Mapping[str, tuple[int, ...]],
    names: tuple[str, ...],
    reference_matrix: NDArray[np.floating],
) -> None:
    if not boosters or not set(boosters) == set(calibration) == set(horizons):
        raise BundleRefused(
            f"boosters {sorted(boosters)}, calibration {sorted(calibration)}, horizons {sorted(horizons)}: expected "
            f"the same outcomes in each"
        )
    for name, booster in boosters.items():
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise BundleRefused(f"outcome {name!r}: expected lower-case letters, digits and underscores")
        if calibration[name].horizons != horizons[name]:
            raise BundleRefused(
                f"{name}: calibrated at {calibration[name].horizons} days, to be served at {horizons[name]}; "
                f"calibrate at the same horizons"
            )
        if booster.num_feature() != len(names) + 1:
            raise BundleRefused(
                f"{name}: the booster reads {booster.num_feature()} columns, expected {len(names)} features and "
                f"horizon_days last"
            )
    if len(set(names)) != len(names):
        raise BundleRefused("a feature name is repeated: names must be unique")
    if reference_matrix.ndim != 2 or reference_matrix.shape[1] != len(names) or not len(reference_matrix):
        raise BundleRefused(
            f"reference_matrix has shape {reference_matrix.shape}: expected (rows, {len(names)}) with at least one row"
        )


def _wording(texts: Sequence[FeatureText], concepts: Mapping[str, Any] | None) -> list[ConceptText]:
    if concepts is None:
        # Imported here, because only writing a bundle needs the catalogue; serving does not.
        from features.catalogue import CONCEPTS

        concepts = CONCEPTS
    wording = []
    for slug in sorted({text.concept for text in texts}):
        entry = concepts.get(slug)
        if entry is None:
            wording.append(ConceptText.plain(slug))
        else:
            text = (
                entry
                if isinstance(entry, Mapping)
                else {key: getattr(entry, key) for key in ("label", "raises", "lowers")}
            )
            wording.append(ConceptText(slug, str(text["label"]), str(text["raises"]), str(text["lowers"])))
    check_wording(wording)
    return wording


def _feature_text(feature: FeatureLike) -> FeatureText:
    return FeatureText(
        name=str(feature.name),
        concept=str(feature.concept),
        unit=None if feature.unit is None else str(feature.unit),
        low=None if feature.low is None else float(feature.low),
        high=None if feature.high is None else float(feature.high),
        direction=int(feature.direction or 0),
        missing=str(feature.missing),
        why=str(feature.why),
    )


def _json(value: Any) -> bytes:
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=_plain) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise BundleRefused(
            f"a part of the bundle cannot be written as JSON: {error}; use plain numbers, texts, lists and mappings, "
            f"and None for NaN"
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _own_version() -> str:
    try:
        return metadata.version("upstream")
    except metadata.PackageNotFoundError:
        return "unknown"
