"""Builds the evidence file from a run, and checks that nobody has changed a number in it since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from training.errors import ArtefactAbsent, EvidenceError
from training.evaluation.page import JSON_NAME, headline
from training.evaluation.schema.evaluation import Evaluation
from training.evidence.references import Sources, fill
from training.evidence.tables import TABLES
from training.registry import tracking
from training.registry.tracking import Store

TEMPLATES = Path(__file__).with_name("templates")
DOCUMENTS = ("model_card", "tripod_ai", "probast_ai", "transparency_record", "hazard_log")
SYNTHETIC = (
    "> **Synthetic data.** None of these people exist. Nothing here says how the model would do on real people.\n\n"
)
_STYLE = """body{font:16px/1.55 Arial,sans-serif;color:#212b32;max-width:1060px;margin:0 auto;padding:16px}
table{border-collapse:collapse;width:100%;font-size:15px;margin:8px 0 20px}
th,td{border-bottom:1px solid #d8dde0;padding:5px 12px 5px 0;text-align:left;vertical-align:top}
th{border-bottom:2px solid #212b32}blockquote{background:#ffeb3b;border:2px solid #212b32;margin:0;padding:4px 16px}
h1{margin-top:56px;border-top:6px solid #005eb8;padding-top:14px}
code{background:#f0f4f5;padding:1px 4px;font-size:14px;overflow-wrap:anywhere}nav a{margin-right:16px;color:#005eb8}"""


@dataclass(frozen=True)
class EvidenceFile:
    """``files`` by name, as they will be written; ``open`` are the questions left to the deployer; ``numbers`` is how
    many were looked up.
    """

    files: Mapping[str, str]
    open: tuple[str, ...]
    numbers: int

    def write(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (out / name).write_text(text, encoding="utf-8")

    def differences(self, out: Path) -> list[str]:
        """Differences between the files in ``out`` and the run, one line each: a number edited by hand, a missing
        file.
        """
        found = []
        for name, text in self.files.items():
            path = out / name
            if not path.is_file():
                found.append(f"{name}: missing; run upstream evidence to write it")
                continue
            here, should = path.read_text(encoding="utf-8").splitlines(), text.splitlines()
            for number in range(max(len(here), len(should))):
                a, b = (lines[number] if number < len(lines) else "" for lines in (here, should))
                if a != b:
                    at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
                    found.append(
                        f"{name}, line {number + 1}: ...{a[max(0, at - 30) : at + 30]}... should be "
                        f"...{b[max(0, at - 30) : at + 30]}..."
                    )
        return found


def sources_of(store: Store, run_id: str, tags: Mapping[str, str]) -> Sources:
    """Everything that references in the templates may point to, from the files of one run."""
    with store.files_of(run_id, tracking.EVALUATION) as folder:
        evaluation = Evaluation.model_validate(_json(folder / JSON_NAME, run_id))
    with store.files_of(run_id, tracking.BUNDLE) as folder:
        card, manifest = _json(folder / "card.json", run_id), _json(folder / "manifest.json", run_id)
    with store.files_of(run_id, "settings") as folder:
        settings = yaml.safe_load((folder / "mlflow.yaml").read_text(encoding="utf-8"))
    plain = evaluation.as_json()
    stands = {evaluation.pairs[name].outcome: plain["pairs"][name] for name in headline(evaluation)}
    run = {
        **tags,
        "run_id": run_id,
        "bundle_id": manifest["bundle_id"],
        "features": str(evaluation.drift.features) if evaluation.drift else "not counted",
    }
    return Sources(evaluation, {**plain, "headline": stands}, settings, run, card, TABLES)


def build(sources: Sources, templates: Path = TEMPLATES) -> EvidenceFile:
    """Every document of the evidence file. Raises EvidenceError if a template holds a typed number, a dead reference
    or a test that does not exist."""
    mark = SYNTHETIC if sources.evaluation.synthetic else ""
    files = {}
    for name in DOCUMENTS:
        path = templates / f"{name}.md"
        if not path.is_file():
            raise EvidenceError(f"There is no template {path.name}: restore it, every document of the file is needed.")
        title, _, body = fill(path.read_text(encoding="utf-8"), sources, path.name).partition("\n")
        files[f"{name}.md"] = f"{title}\n\n{mark}{body.lstrip()}"
    questions = tuple(dict.fromkeys(sources.open))
    files["open_questions.md"] = f"# What only a deployer can answer\n\n{mark}" + "".join(
        f"- {one}\n" for one in questions
    )
    files["evidence.html"] = _page(files, sources.evaluation.synthetic)
    record = {
        "run": dict(sources.run),
        "synthetic": sources.evaluation.synthetic,
        "numbers": sources.used,
        "open": list(questions),
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }
    files["evidence.json"] = json.dumps(record, indent=1, sort_keys=True) + "\n"
    return EvidenceFile(files, questions, len(sources.used))


def _page(files: Mapping[str, str], synthetic: bool) -> str:
    """All documents as one self-contained page."""
    render = MarkdownIt("commonmark", {"html": False}).enable("table")
    parts = [(name.removesuffix(".md"), text) for name, text in files.items()]
    links = "".join(f'<a href="#{name}">{text.partition(chr(10))[0].lstrip("# ")}</a>' for name, text in parts)
    body = "".join(f'<section id="{name}">{render.render(text)}</section>' for name, text in parts)
    title = "Evidence file of the Upstream model" + (" (synthetic data)" if synthetic else "")
    return (
        f'<!doctype html>\n<html lang="en-GB"><head><meta '
        f'charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body><nav>{links}</nav>{body}</body></html>\n'
    )


def _json(path: Path, run_id: str) -> dict[str, Any]:
    if not path.is_file():
        raise ArtefactAbsent(
            f"Run {run_id} has no {path.name}: train again; evidence is written from what a run wrote."
        )
    return json.loads(path.read_text(encoding="utf-8"))
