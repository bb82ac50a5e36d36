"""The NHS design system's files: what is installed of the npm package, how they are sent, and pages that are the same
without them."""

from __future__ import annotations

import hashlib
import re

import pytest

from serving.web import nhsuk
from serving.web.rendering import ENVIRONMENT

STYLE = "@font-face{font-family:Frutiger;src:url(https://assets.example/f.woff2)}.nhsuk-button{color:#fff}"
SCRIPT = b"export function initAll(){}"
SHA256 = hashlib.sha256(SCRIPT).hexdigest()


@pytest.fixture
def package(tmp_path):
    """An unpacked npm package in small."""
    folder = tmp_path / "package" / "dist" / "nhsuk"
    folder.mkdir(parents=True)
    (folder / nhsuk.STYLE).write_text(STYLE, encoding="utf-8")
    (folder / nhsuk.SCRIPT).write_bytes(SCRIPT)
    return tmp_path / "package"


def test_the_style_sheet_loses_its_foreign_fonts_and_the_script_stays_as_it_is(package, tmp_path):
    nhsuk.install(package, tmp_path / "static", SHA256)
    assert (tmp_path / "static" / nhsuk.STYLE).read_text(encoding="utf-8") == ".nhsuk-button{color:#fff}"
    assert (tmp_path / "static" / nhsuk.SCRIPT).read_bytes() == SCRIPT


def test_an_unreviewed_script_is_refused_and_nothing_is_installed(package, tmp_path):
    (package / "dist" / "nhsuk" / nhsuk.SCRIPT).write_bytes(SCRIPT + b";")
    with pytest.raises(ValueError, match="SHA-256"):
        nhsuk.install(package, tmp_path / "static", SHA256)
    assert not (tmp_path / "static").exists()


def test_a_style_sheet_that_asks_elsewhere_is_refused(package, tmp_path):
    (package / "dist" / "nhsuk" / nhsuk.STYLE).write_text("a{background:url(//elsewhere.example/x.png)}")
    with pytest.raises(ValueError, match="foreign server"):
        nhsuk.install(package, tmp_path / "static", SHA256)


@pytest.mark.parametrize("name", [nhsuk.STYLE, nhsuk.SCRIPT])
def test_a_package_without_one_of_them_is_named(package, tmp_path, name):
    (package / "dist" / "nhsuk" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        nhsuk.install(package, tmp_path / "static", SHA256)


def test_the_installed_script_is_the_reviewed_one():
    script = nhsuk.FOLDER / nhsuk.SCRIPT
    if not script.is_file():
        pytest.skip("the NHS script is not here: run `make nhsuk` (needs npm)")
    assert hashlib.sha256(script.read_bytes()).hexdigest() == nhsuk.SCRIPT_SHA256


def test_our_module_has_the_media_type_that_nosniff_requires(client):
    answer = client.get("/static/upstream.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"].split("; ")
    assert "script-src 'self'" in policy and "default-src 'none'" in policy and "unsafe" not in str(policy)


@pytest.mark.parametrize("path", ["/teams/north", "/patients/N00", "/status"])
def test_a_page_differs_by_one_line_where_the_script_is_not_installed(browser, path, monkeypatch):
    """So nothing that a page says or does is the script's. Keys and times of forms are new on every page."""
    found = {}
    for installed in (True, False):
        monkeypatch.setitem(ENVIRONMENT.globals, "nhsuk_script", installed)
        lines = browser("pharmacist:north").get(path).text.splitlines()
        found[installed] = [line for line in lines if not re.search('name="(key|proof|opened)"', line)]
    own = '  <script type="module" src="/static/upstream.js"></script>'
    assert own in found[True] and [line for line in found[True] if line != own] == found[False]
