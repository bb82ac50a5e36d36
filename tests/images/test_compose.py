"""The images and compose files, as far as a machine without a container engine can try them: linters, the rules that
this project sets itself, and the topology of compose.yaml as processes with the same commands and settings."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from docs.pins import pins
from serving.cli import read_secret_files
from serving.security.tokens import issue_token
from tests.conftest import ROOT, free_port
from tests.faults.postgres import PROGRAMS, Cluster, cluster
from tests.faults.test_installed import needs, wait_for

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DEMO = yaml.safe_load((ROOT / "compose.demo.yaml").read_text(encoding="utf-8"))
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
SERVICES = {**COMPOSE["services"], **DEMO["services"]}
TOOLS = ROOT / ".tools" / "ship"
HOST = "upstream.example.nhs.uk"
ACCEPTED = {
    "CL-0019": "digests belong to a trust's own registry; docs/install.md says to pin them there",
    "CL-0005": "the proxy is the one way in and has to be reached",
    "CL-0008": "the demo listens on 127.0.0.1 alone, and refuses a network that others reach",
}
"""Findings of compose-lint that stand, and why."""


def tool(name: str) -> str:
    path = TOOLS / "bin" / name
    if not path.exists():
        pytest.skip(f"needs {name} (make shiptools)")
    return str(path)


def test_hadolint_finds_nothing():
    done = subprocess.run([tool("hadolint"), str(ROOT / "Containerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_lint_finds_only_what_has_a_reason():
    files = [str(ROOT / name) for name in ("compose.yaml", "compose.demo.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    done = subprocess.run(
        [sys.executable, tool("compose-lint"), "check", *files],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    found = set(re.findall(r"CL-\d{4}", done.stdout.partition("Details on any rule")[0]))
    assert "files scanned" in done.stdout and found <= ACCEPTED.keys(), done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_read_only_without_capabilities_and_not_root(name):
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["pids_limit"]
    assert not service["user"].startswith(("0", "root")) and service["deploy"]["resources"]["limits"]["memory"]


def test_only_the_proxy_is_reached_from_outside_and_no_image_names_a_registry():
    assert [name for name, service in COMPOSE["services"].items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    images = [service["image"] for service in SERVICES.values()] + re.findall(r"^FROM (\S+)", CONTAINERFILE, re.M)
    assert all("/" not in image for image in images)


def test_no_secret_stands_in_an_environment():
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            secret = re.search("PASSWORD|DATABASE_URL|OIDC|KEY", name)
            assert not secret or (name.endswith("_FILE") and str(value).startswith("/run/secrets/")), name


def test_what_the_image_runs_as_and_how_it_is_checked():
    stage = CONTAINERFILE[CONTAINERFILE.index("AS serving") :]
    assert "USER 10001:10001" in stage and "/livez" in stage and "HEALTHCHECK" in stage
    assert "OMP_NUM_THREADS=1" in CONTAINERFILE and "--require-hashes" in CONTAINERFILE


def test_the_kernels_of_the_build_are_there_at_each_start(tmp_path):
    """The start script, with the image's folders moved below a folder of the test."""
    kernels, program = tmp_path / "kernels", tmp_path / "upstream"
    (kernels / "a").mkdir(parents=True)
    (kernels / "a" / "kernel.nbi").write_text("compiled")
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    script = (ROOT / "docs/install/start.sh").read_text().replace("/opt/upstream/kernels", str(kernels))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NUMBA_CACHE_DIR": str(tmp_path / "used")}
    for _ in range(2):
        done = subprocess.run(
            ["sh", "-c", script, "start", "serve", "--port", "1"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "serve --port 1\n"
    assert (tmp_path / "used" / "a" / "kernel.nbi").read_text() == "compiled"


def test_a_secret_is_read_from_its_file(tmp_path, monkeypatch):
    (tmp_path / "url").write_text("sqlite:///elsewhere.db\n")
    monkeypatch.delenv("UPSTREAM_DATABASE_URL", raising=False)
    monkeypatch.setenv("UPSTREAM_DATABASE_URL_FILE", str(tmp_path / "url"))
    read_secret_files()
    assert os.environ.pop("UPSTREAM_DATABASE_URL") == "sqlite:///elsewhere.db"
    monkeypatch.setenv("UPSTREAM_DATABASE_URL_FILE", str(tmp_path / "absent"))
    with pytest.raises(SystemExit, match="UPSTREAM_DATABASE_URL_FILE: the file cannot be read"):
        read_secret_files()
    monkeypatch.setenv("UPSTREAM_DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("UPSTREAM_DATABASE_URL", "another")
    with pytest.raises(SystemExit, match="both set"):
        read_secret_files()


def test_pins_have_a_hash_and_no_index():
    def package(name: str, hashes: dict[str, str]) -> dict[str, object]:
        info = {"url": "https://index.example/a.whl", "archive_info": {"hashes": hashes}}
        return {"metadata": {"name": name, "version": "1.0"}, "download_info": info}

    made = pins({"install": [package("upstream", {}), package("numpy", {"sha256": "ab"})]})
    assert made.splitlines()[1:] == ["numpy==1.0 --hash=sha256:ab"] and "http" not in made
    with pytest.raises(ValueError, match="no SHA-256"):
        pins({"install": [package("numpy", {})]})


@pytest.mark.slow
def test_the_topology_of_compose_as_processes(home, tmp_path):
    """PostgreSQL made by the init script, the nightly run, the service and nginx, each with the command and settings of
    compose.yaml. Only addresses and folders are moved to this machine."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "upstream_password").write_text("a word of the test's own")
    (secrets / "oidc").write_text("[]")
    (home / "service.db").unlink()
    port = str(free_port())
    with cluster() as database:
        make_database(database, secrets)
        word = "a%20word%20of%20the%20test%27s%20own"
        url = f"postgresql+psycopg://upstream:{word}@127.0.0.1:{database.port}/upstream"
        (secrets / "database_url").write_text(url + "\n")
        moved = {"/run/secrets": str(secrets), "/var/lib/upstream": str(home)}
        nightly = subprocess.run(
            command_of("nightly", port), env=settings_of("nightly", moved), capture_output=True, text=True, check=False
        )
        assert nightly.returncode == 0, nightly.stderr
        service = subprocess.Popen(
            command_of("service", port), env=settings_of("service", moved), stderr=subprocess.DEVNULL
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            token = issue_token(url, "pharmacist", ["north"])
            with proxy(tmp_path, secrets, port) as client:
                listed = client.get("/v1/teams/north/worklist", headers={"Authorization": f"Bearer {token}"})
                assert listed.status_code == 200 and listed.json()["items"]
                page = client.get("/sign-in")
                assert page.status_code == 200 and page.headers["strict-transport-security"]
            service.terminate()
            assert service.wait(timeout=120) == 0
        finally:
            service.kill()
            service.wait()


def make_database(database: Cluster, secrets: Path) -> None:
    """The init script of the image, against a cluster of the test's own."""
    for program, name in (("dropdb", "upstream"), ("dropuser", "upstream")):
        database.run(program, *database.admin, name)
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(database.port), "PATH": f"{PROGRAMS[-1]}:{os.environ['PATH']}"}
    environment = {**os.environ, **where, "UPSTREAM_PASSWORD_FILE": str(secrets / "upstream_password")}
    subprocess.run(["sh", str(ROOT / "docs/install/database.sh")], env=environment, check=True, capture_output=True)


def command_of(name: str, port: str) -> list[str]:
    moved = {"0.0.0.0": "127.0.0.1", "8000": port}
    words = [moved.get(word, word) for word in COMPOSE["services"][name]["command"]]
    return [sys.executable, str(ROOT / "upstream.py"), *words]


def settings_of(name: str, moved: dict[str, str]) -> dict[str, str]:
    given = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    for variable, value in COMPOSE["services"][name]["environment"].items():
        value = f"https://{HOST}" if variable == "UPSTREAM_PUBLIC_URL" else value
        for before, after in moved.items():
            value = value.replace(before, after)
        given[variable] = value
    return given


@contextmanager
def proxy(folder: Path, secrets: Path, upstream_port: str):
    """nginx with docs/install/nginx.conf; its folders, ports and the service's name are of this machine."""
    program, openssl, port = needs("nginx"), needs("openssl"), free_port()
    certify = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
    files = ["-keyout", str(secrets / "tls_key"), "-out", str(secrets / "tls_certificate")]
    subprocess.run([*certify, "-addext", f"subjectAltName=DNS:{HOST}", *files], check=True, capture_output=True)
    text = (ROOT / "docs/install/nginx.conf").read_text(encoding="utf-8")
    for before, after in {
        "/tmp/": f"{folder}/",
        "/run/secrets": str(secrets),
        "listen 8443": f"listen 127.0.0.1:{port}",
        "service:8000": f"127.0.0.1:{upstream_port}",
    }.items():
        assert before in text
        text = text.replace(before, after)
    text = f"daemon off; {'user root; ' if not os.geteuid() else ''}\n{text}"
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    trusted = ssl.create_default_context(cafile=str(secrets / "tls_certificate"))
    try:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", headers={"Host": HOST}, verify=trusted, timeout=30
        ) as client:
            client.event_hooks["request"] = [lambda request: request.extensions.update(sni_hostname=HOST)]
            wait_for("/livez", client)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=120)
        shutil.rmtree(folder / "proxy", ignore_errors=True)
