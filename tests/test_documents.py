"""Documents are generated or looked up; these tests fail when they drift from the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from docs import licences
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_generated_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_picture_and_page_the_readme_shows_exists():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_link_between_the_pages_of_docs_leads_somewhere():
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_fits_on_a_few_screens():
    assert len(README.splitlines()) <= 150


def test_the_first_screen_has_the_two_commands_and_one_picture():
    first = README.partition("## ")[0]
    assert first.count("](docs/pictures/") == 1 and "make demo" in first and "make test" in first


def test_each_term_of_the_glossary_is_defined_once_and_in_order():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| ([^|]+?) \| (?:P)? *\| [A-Z`]", text, re.M)
    assert len(terms) >= 40
    assert terms == sorted(set(terms), key=str.casefold)


def test_every_pinned_package_has_its_licence_listed():
    page = licences.PAGE.read_text(encoding="utf-8")
    assert page == licences.page(), "run python -m docs.licences"


def test_every_decision_is_listed():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\(([^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md")) and len(listed) >= 10


def test_the_readme_opens_with_the_two_commands():
    assert README.index("make demo") < README.index("make test") < README.index("## ")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_make_help_lists_every_target_for_people_with_what_it_does():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(re.findall(r"^  (\w+) +(\S.+)$", shown, re.M))
    assert {"demo", "test", "check", "lint", "bench", "steady", "screenshots", "clean"} <= set(listed)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):.*## ", makefile, re.M)) == set(listed)


def test_every_verb_the_readme_uses_has_help_with_an_example(run):
    for verb in sorted(set(re.findall(r"upstream ((?:ingest |features )?[a-z]+)", README)) - {"and"}):
        shown = run(*verb.split(), "--help").stdout
        assert "Example:" in shown or "Commands" in shown, verb


def test_no_registry_host_and_no_path_of_this_machine_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    hosts = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian")))
    for name in listed:
        path = Path(ROOT / name)
        if path.suffix in (".png", ".ico") or not path.exists():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert not hosts.search(text), name
        assert str(ROOT.parent) + "/" not in text, name
