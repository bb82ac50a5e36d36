"""Plain words: docs, pages, help texts, messages, docstrings and comments use none of the words that were replaced."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

REPLACED = {
    r"affinely": "affine, and only for data scientists",
    r"ask for a token of a role": "your account cannot open this page",
    r"asks? nobody": "makes no outside call",
    r"at hand": "available, or leave it out",
    r"at the door": "when it is read",
    r"beyond any sense": "implausible",
    r"by heart": "memorised",
    r"by lot": "at random",
    r"certain (?:care |safety )?gaps?": "overdue or missing care",
    r"drop(?:s|ped)? out of contact": "lose contact",
    r"figures? of merit": "metric",
    r"for want of": "because ... is missing",
    r"go(?:es)? on": "continues",
    r"knows? better": "is more reliable",
    r"in silence": "silently",
    r"mend(?:s|ed|ing)?": "correct, repair",
    r"middle of this team": "team median",
    r"nobody's place moves": "ranks do not change",
    r"not every part of it is in order": "not all is in order",
    r"none of ours": "not ours, not configured",
    r"nought": "zero",
    r"of late": "recent, recently",
    r"stands? behind": "is the evidence for",
    r"told": "reported, given, shown",
    r"what is due is due": "do overdue checks whatever the estimate",
    r"what bec(?:ame|omes) of": "the result, outcome or status of",
    r"whoever": "people who, anybody who, or the role",
    r"words of ours": "our own words",
}
WORD = re.compile(rf"\b(?:{'|'.join(REPLACED)})\b")
BETWEEN = r"""(?:\W|\\n|\b[frbu]{1,2}(?=["']))+"""
"""What may stand between two words of a phrase in a source: spaces, a new line of a comment or of a string."""
SOMEWHERE = re.compile(rf"\b(?:{'|'.join(REPLACED).replace(' ', BETWEEN)})(?!\w)", re.IGNORECASE)
"""A file that this finds nothing in holds none of the words, so most files need not be taken apart."""

ALLOWED = {
    "You told us": "words to the person on their own sheet",
    "GP told in writing": "a reviewer's answer, stored as it is",
    "MEND": "a mark in the output of doctor; only lower case is searched",
}


def _tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _docstrings(tree: ast.AST) -> set[int]:
    """Ids of the constants that stand alone: docstrings of modules, classes, functions and attributes."""
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def _texts_of_code(source: str, strings: bool) -> Iterator[tuple[int, str]]:
    """Line and text of every comment and docstring; with ``strings`` also of every string of two words or more."""
    tree = ast.parse(source)
    alone = _docstrings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in alone or (strings and " " in node.value):
            yield node.lineno, " ".join(node.value.split())
    comments: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("# ")
            if comments and comments[-1][0] == token.start[0] - 1:
                text = f"{comments.pop()[1]} {text}"
            comments.append((token.start[0], text))
    yield from comments


def found_in(name: str, text: str) -> list[str]:
    """Each replaced word of a file, with its line and what to write instead."""
    if not SOMEWHERE.search(text):
        return []
    if name.endswith(".py"):
        pieces = list(_texts_of_code(text, strings=not name.startswith("tests/")))
    else:
        pieces = list(enumerate(text.splitlines(), 1))
    found = []
    for line, piece in pieces:
        for allowed in ALLOWED:
            piece = piece.replace(allowed, "")
        for word in WORD.finditer(piece):
            instead = next(new for old, new in REPLACED.items() if re.fullmatch(old, word[0]))
            found.append(f"{name}, line {line}: {word[0]!r}; write: {instead}")
    return found


FILES = _tracked("*.py", "*.html", "*.md", "mlflow.yaml")


@pytest.mark.parametrize("room", ["docs", "features", "models", "serving", "training", "tests", ""])
def test_no_text_uses_a_word_that_was_replaced(room):
    names = [n for n in FILES if n != "tests/test_plain_words.py" and (Path(n).parts[0] if "/" in n else "") == room]
    assert names or not FILES, "no file was searched"
    assert [hit for name in names for hit in found_in(name, (ROOT / name).read_text(encoding="utf-8"))] == []


PLANTED = {
    "docs/page.md": "A tie is broken by lot.\n",
    "serving/page.html": "<p>Tell whoever runs it.</p>\n",
    "models/a.py": 'def f():\n    """What it is told."""\n',
    "models/b.py": "x = 1  # nought\n",
    "models/c.py": "# a long comment that breaks in the middle of\n# late\n",
    "models/d.py": 'raise ValueError(f"{1}: mend the file")\n',
    "tests/e.py": "# it goes on\n",
    "models/f.py": 'raise ValueError("nothing of "\n    f"late")\n',
    "models/g.py": 'raise ValueError("nothing of\\nlate")\n',
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_word_is_found(name):
    assert len(found_in(name, PLANTED[name])) == 1


def test_what_is_not_prose_is_left_alone():
    assert found_in("models/a.py", "told = {'whoever': 1}\n") == []
    assert found_in("tests/a.py", "assert answer == 'told to wait'\n") == []
    assert found_in("serving/a.py", "label = 'GP told in writing'\n") == []
