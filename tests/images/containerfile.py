"""Reads the Containerfile as steps that a program can carry out. It knows the instructions that the file uses, and
refuses any other: a step that is not understood is never skipped."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field, replace
from string import Template

PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Of the image that the file begins with."""


@dataclass(frozen=True)
class Step:
    """One ``RUN`` or ``COPY`` with the settings that hold there."""

    kind: str
    words: str
    environment: dict[str, str]
    folder: str
    user: str


@dataclass(frozen=True)
class Stage:
    """One stage of a build. ``parent`` is the name of another stage, or the image that the file begins with."""

    name: str
    parent: str
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


def stages_of(text: str) -> dict[str, Stage]:
    """Every stage by its name, in the order of the file. Raises ``ValueError`` for an instruction that is not known."""
    found: dict[str, Stage] = {}
    for kind, words in instructions(text):
        if kind == "FROM":
            parent, _, name = words.partition(" AS ")
            before = found.get(parent, Stage(parent, "", {"PATH": PATH}))
            stage = replace(before, name=name or parent, parent=parent, steps=())
        else:
            stage = _with(list(found.values())[-1], kind, words)
        found[stage.name] = stage
    return found


def instructions(text: str) -> list[tuple[str, str]]:
    """``(instruction, words)`` without comments, each on one line."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(kind, words.strip()) for kind, _, words in (line.partition(" ") for line in whole.splitlines())]


def _with(stage: Stage, kind: str, words: str) -> Stage:
    """The stage after one more instruction."""
    match kind:
        case "ENV":
            given = dict(word.split("=", 1) for word in shlex.split(words))
            filled = {name: Template(value).safe_substitute(stage.environment) for name, value in given.items()}
            return replace(stage, environment={**stage.environment, **filled})
        case "WORKDIR":
            return replace(stage, folder=words)
        case "USER":
            return replace(stage, user=words)
        case "ENTRYPOINT":
            return replace(stage, entrypoint=tuple(json.loads(words)), command=())
        case "CMD":
            return replace(stage, command=tuple(json.loads(words)))
        case "HEALTHCHECK":
            return replace(stage, health=tuple(json.loads(words.partition(" CMD ")[2])))
        case "EXPOSE":
            return stage
        case "RUN" | "COPY":
            step = Step(kind, words, stage.environment, stage.folder, stage.user)
            return replace(stage, steps=(*stage.steps, step))
    raise ValueError(f"{kind} is not known here; teach tests/images/containerfile.py what it does")
