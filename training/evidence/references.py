"""References in a template, and how they are looked up: ``{{metric:headline.admission.contenders.model.auroc|2}}``.

- ``metric`` a figure of ``evaluation.json`` (``headline.OUTCOME`` is the pair that stands for an outcome); ``setting``
  a value of the run's own settings; ``run`` its id, version, hashes and commit; ``card`` a field of the bundle's model
  card; ``table`` a table made from the evaluation
- ``test`` a test that must exist; ``open`` what only a deployer can answer: listed, never made up

A numeral outside a reference, inline code or the first cell of a table row (an item's number) is refused, because
somebody typed it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from training.errors import EvidenceError
from training.evaluation.page import figure, percent
from training.evaluation.schema.evaluation import Evaluation
from training.outcome_settings import OUTCOMES

REFERENCE = re.compile(r"\{\{\s*(\w+):([^|}]*)(?:\|\s*(\w+)\s*)?\}\}")
_NUMERAL = re.compile(r"(?<![\w.`-])\d+(?:[.,]\d+)*%?(?![\w`-])")
TESTS = Path(__file__).resolve().parents[2] / "tests"


@dataclass
class Sources:
    """The sources of references; ``figures`` is the evaluation as plain data. ``used`` collects every number with its
    reference, ``open`` every question left to the deployer.
    """

    evaluation: Evaluation
    figures: Mapping[str, Any]
    settings: Mapping[str, Any]
    run: Mapping[str, str]
    card: Mapping[str, Any]
    tables: Mapping[str, Callable[[Evaluation], str]]
    used: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def resolve(self, kind: str, path: str, how: str | None, where: str) -> str:
        """The text for one reference. Raises EvidenceError that names the template, the reference and what to do."""
        path = path.strip()
        if kind == "open":
            self.open.append(path)
            return f"**Open, for the deployer:** {path}"
        if kind == "test":
            return _test(path, where)
        if kind == "table":
            if path not in self.tables:
                raise EvidenceError(f"{where}: no table {path}; there are {', '.join(sorted(self.tables))}.")
            text = self.tables[path](self.evaluation)
        else:
            roots = {"metric": self.figures, "setting": self.settings, "run": self.run, "card": self.card}
            if kind not in roots:
                raise EvidenceError(
                    f"{where}: {{{{{kind}:...}}}} is no kind of reference; use metric, setting, run, card, table, "
                    f"test or open."
                )
            trained = {pair.outcome for pair in self.evaluation.pairs.values()}
            if absent := (set(OUTCOMES) - trained) & set(path.split(".")):
                return f"{absent.pop()} is not part of this model"
            text = shown(look_up(roots[kind], path, where, kind), how, where)
        self.used[f"{kind}:{path}" + (f"|{how}" if how else "")] = text
        return text


def fill(text: str, sources: Sources, where: str) -> str:
    """A template with every reference looked up. Raises EvidenceError for a reference that points nowhere, and for a
    typed number.
    """
    check_numerals(text, where)
    return REFERENCE.sub(lambda found: sources.resolve(found[1], found[2], found[3], where), text)


def check_numerals(text: str, where: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"`[^`]*`", "", REFERENCE.sub("", line))
        if bare.startswith("|"):
            bare = "|" + bare.split("|", 2)[-1]  # the first cell holds the item's number
        if found := _NUMERAL.search(bare):
            raise EvidenceError(
                f"{where}, line {number}: the number {found[0]} was typed in. Look it up with a reference "
                f"({{{{metric:...}}}}), or say it in words."
            )


def look_up(root: Mapping[str, Any], path: str, where: str, kind: str) -> Any:
    value: Any = root
    for step in path.split("."):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            there = (
                sorted(value)[:12]
                if isinstance(value, Mapping)
                else f"{len(value)} items"
                if isinstance(value, list)
                else value
            )
            raise EvidenceError(f"{where}: {kind}:{path} points nowhere at {step!r}; there is {there}.") from None
    return value


def shown(value: Any, how: str | None, where: str) -> str:
    """A value as text: ``percent``, ``count``, a number of digits, or unchanged. A value not defined on these data is
    named as such.
    """
    if value is None or (isinstance(value, Mapping) and value.get("value", 0) is None):
        return "not defined on these data"
    if how == "percent":
        return percent(value)
    if how == "count":
        return f"{int(value):,}"
    if how is not None and how.isdecimal():
        return figure(value, int(how))
    if how is not None:
        raise EvidenceError(f"{where}: |{how} is no format; use percent, count or a number of digits.")
    if isinstance(value, Mapping):
        return (
            figure(value)
            if "value" in value
            else "; ".join(f"{key}: {shown(v, None, where)}" for key, v in value.items())
        )
    if isinstance(value, list):
        return "; ".join(shown(one, None, where) for one in value)
    return f"{value:.3f}" if isinstance(value, float) and not value.is_integer() else str(value)


def _test(path: str, where: str) -> str:
    """A test as inline code, after checking that it exists. If there are no tests (an image without them), the name
    is not checked.
    """
    file, _, name = path.partition("::")
    if TESTS.is_dir() and name not in _tests_of(file):
        raise EvidenceError(
            f"{where}: there is no test {path} under tests/. A control without a test is no control: name one that "
            f"exists."
        )
    return f"`{path}`"


@cache
def _tests_of(file: str) -> frozenset[str]:
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
