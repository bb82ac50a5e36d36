"""``/docs``: the interface as a page on which calls are tried, its files from npm, and the page without them."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from serving.web.interface import assets
from tests.conftest import ROOT

PICTURE = 'data:image/svg+xml;charset=utf-8,<svg xmlns=\\"http://www.w3.org/2000/svg\\"><path fill=\\"%23fff\\"/></svg>'
STYLE = f'.a{{background:url("{PICTURE}") no-repeat}}.b{{background:url(data:image/png;base64,AAEC)}}'
SCRIPT = b"window.SwaggerUIBundle=function(){}"
SHA256 = hashlib.sha256(SCRIPT).hexdigest()


@pytest.fixture
def package(tmp_path):
    """An unpacked npm package in small."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / assets.STYLE).write_text(STYLE, encoding="utf-8")
    (folder / assets.SCRIPT).write_bytes(SCRIPT)
    return folder


def test_pictures_become_files_and_the_script_stays_as_it_is(package, tmp_path):
    assets.install(package, tmp_path / "static", SHA256)
    style = (tmp_path / "static" / assets.STYLE).read_text(encoding="utf-8")
    svg, png = re.findall(r"url\((\w+\.\w+)\)", style)
    drawn = (tmp_path / "static" / svg).read_text()
    assert drawn == '<svg xmlns="http://www.w3.org/2000/svg"><path fill="#fff"/></svg>'
    assert (tmp_path / "static" / png).read_bytes() == b"\x00\x01\x02"
    assert "data:" not in style
    assert (tmp_path / "static" / assets.SCRIPT).read_bytes() == SCRIPT


def test_an_unreviewed_script_is_refused_and_nothing_is_installed(package, tmp_path):
    with pytest.raises(ValueError, match="SHA-256"):
        assets.install(package, tmp_path / "static")
    assert not (tmp_path / "static").exists()


@pytest.mark.parametrize("address", ["https://elsewhere.example/x.png", "//elsewhere.example/x", "data:text/html,x"])
def test_a_style_sheet_that_asks_elsewhere_is_refused(package, tmp_path, address):
    (package / assets.STYLE).write_text(f"a{{background:url({address})}}")
    with pytest.raises(ValueError, match="another address"):
        assets.install(package, tmp_path / "static", SHA256)


@pytest.mark.parametrize("name", [assets.STYLE, assets.SCRIPT])
def test_a_package_without_one_of_them_is_named(package, tmp_path, name):
    (package / name).unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(name)):
        assets.install(package, tmp_path / "static", SHA256)


def test_the_page_holds_no_script_of_its_own_and_may_call_this_service_alone(client, monkeypatch):
    monkeypatch.setattr(assets, "are_installed", lambda: True)
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert '<div id="interface">' in answer.text
    assert all(re.search(r'src="/static/', tag) for tag in re.findall(r"<script[^>]*>", answer.text))
    assert not re.findall(r"<script[^>]*>[^<]", answer.text)
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "img-src 'self'", "connect-src 'self'"} <= set(policy)
    assert "unsafe" not in str(policy)


@pytest.mark.parametrize("path", ["/sign-in", "/docs/", "/openapi.json", "/static/interface.js"])
def test_no_other_address_may_call_anything_by_script(client, path):
    assert "connect-src" not in client.get(path).headers["content-security-policy"]


def test_without_its_files_the_page_says_so_and_names_the_description(client, monkeypatch):
    monkeypatch.setattr(assets, "are_installed", lambda: False)
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert "not installed" in answer.text
    assert 'href="/openapi.json"' in answer.text
    assert "swagger-ui" not in answer.text


def test_our_script_asks_this_service_alone(client):
    answer = client.get("/static/interface.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert 'url: "/openapi.json"' in answer.text
    assert "validatorUrl: null" in answer.text
    assert "http" not in answer.text


def test_the_example_that_the_page_offers_for_scores_is_answered(client, as_role):
    described = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    (example,) = described["components"]["schemas"]["ScoresRequest"]["examples"]
    answer = client.post("/v1/scores", json=example, headers=as_role("cmht_system"))
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["people"]) == len(example["people"])
