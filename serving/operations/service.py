"""Health checks and the served model. Nothing here is about a person."""

from __future__ import annotations

from importlib import metadata

from serving.auditlog.log import AuditUnavailable, check_writable
from serving.http.problems import unavailable
from serving.operations.schemas import Check, ModelCard, ModelInfo, Ready, ServiceVersion
from serving.state import Service
from serving.storage import migrations
from serving.storage.damage import DAMAGED
from serving.storage.database import DatabaseUnavailable


def readiness(service: Service) -> Ready:
    """Every check with its reason. A refused newer bundle does not make the service unready, because the last good
    one is served.
    """
    checks = [_model(service), _database(service), _audit(service)]
    return Ready(ready=all(check.ok for check in checks), checks=checks)


def version(service: Service) -> ServiceVersion:
    model = service.live.current
    return ServiceVersion(
        version=own_version(),
        environment=service.settings.environment,
        bundle_id=model.manifest.bundle_id if model else None,
    )


def model_info(service: Service) -> ModelInfo:
    standing = service.live.standing
    if standing.model is None:
        raise unavailable("no-model", "No verified model is loaded; see /readyz.", 30)
    manifest = standing.model.manifest
    return ModelInfo(
        bundle_id=manifest.bundle_id,
        version=manifest.model_version,
        synthetic=manifest.synthetic,
        not_promoted=list(manifest.not_promoted),
        trained_run_id=manifest.run_id,
        data_hash=manifest.data_hash,
        code_commit=manifest.code_commit,
        created_at=manifest.created_at.isoformat(),
        features=len(standing.model.feature_names),
        outcomes={name: list(days) for name, days in standing.model.outcomes.items()},
        definitions=dict(standing.model.card.get("outcomes") or {}),
        left_out=dict(standing.model.card.get("left_out") or {}),
        problem=standing.problem,
    )


def model_card(service: Service) -> ModelCard:
    model = service.live.current
    if model is None:
        raise unavailable("no-model", "No verified model is loaded; see /readyz.", 30)
    return ModelCard(
        bundle_id=model.manifest.bundle_id,
        synthetic=model.manifest.synthetic,
        not_promoted=list(model.manifest.not_promoted),
        card=model.card,
    )


def _model(service: Service) -> Check:
    standing = service.live.standing
    return Check(name="model", ok=standing.model is not None, detail=standing.problem)


def _database(service: Service) -> Check:
    try:
        migrated, newer = migrations.at_head(service.database), migrations.is_newer(service.database)
    except DatabaseUnavailable as error:
        return Check(name="database", ok=False, detail=str(error))
    if service.database.is_damaged:
        return Check(name="database", ok=False, detail=DAMAGED)
    if newer:
        detail = "a newer release has migrated it; start that release, or restore the backup made before the upgrade"
    else:
        detail = "" if migrated else "not migrated to this version; restart the service, which migrates it"
    return Check(name="database", ok=migrated, detail=detail)


def _audit(service: Service) -> Check:
    try:
        check_writable(service.database)
    except AuditUnavailable as error:
        return Check(name="audit", ok=False, detail=str(error))
    return Check(name="audit", ok=True, detail="")


def own_version() -> str:
    try:
        return metadata.version("upstream")
    except metadata.PackageNotFoundError:
        return "unknown"
