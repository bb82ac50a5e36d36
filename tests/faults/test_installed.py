"""The steps of docs/operations.md that rest on other people's programs, done with those programs: useradd, systemd's
checks, nginx, PostgreSQL."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.settings import ServiceSettings
from serving.start import StartError, serve
from tests.conftest import ROOT, free_port
from tests.faults.processes import served

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
HOST = "upstream.example.nhs.uk"
INSTALLED = "/opt/upstream/current/bin/upstream"
EXPOSURE = 30
"""Of 100, by ``systemd-analyze security``: below 30 it calls a unit OK."""


def block(opening: str) -> str:
    """The block of the page whose first line begins so."""
    found = re.search(rf"^ *```\n *({re.escape(opening)}.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no block of docs/operations.md begins with {opening}"
    return re.sub(r"^   ", "", found.group(1), flags=re.MULTILINE)


def needs(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"needs {program}")
    return found


def environment_file() -> dict[str, str]:
    """The settings as systemd reads them: one assignment a line, quotes taken off."""
    lines = block("UPSTREAM_HOME=").splitlines()
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)


def test_the_documented_useradd_makes_a_user_without_shell_or_password(tmp_path):
    """In a root folder of its own: no shell, no password, and its home."""
    if os.geteuid():
        pytest.skip("only root adds users")
    program, *words = shlex.split(block("useradd"))
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).touch()
    subprocess.run([needs(program), "--prefix", str(tmp_path), *words], check=True)
    line = (tmp_path / "etc" / "passwd").read_text().strip()
    assert line.startswith("upstream:") and line.endswith(":/var/lib/upstream:/usr/sbin/nologin")
    assert (tmp_path / "etc" / "shadow").read_text().startswith("upstream:!")
    assert (tmp_path / "var/lib/upstream").is_dir()


def test_the_settings_are_read_as_systemd_reads_them(monkeypatch):
    for name, value in environment_file().items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings()
    assert settings.environment == "production" and settings.behind_proxy and settings.is_https
    assert settings.hosts == (HOST,) and settings.host == "127.0.0.1"
    assert settings.oidc[0].sign_in is not None


def test_the_units_of_systemd(home, tmp_path):
    """Sound by systemd's own check, and little exposed; then what each unit starts is started with the program that
    is installed here, and the service is stopped as systemd stops it."""
    program = needs("systemd-analyze")
    here = Path(sys.executable).with_name("upstream")
    assert here.is_file(), "install the package: the units run its program"
    units = {
        "upstream.service": block("[Unit]\n   Description=Upstream, the service"),
        "upstream-score.service": block("[Unit]\n   Description=Upstream, the nightly run\n"),
        "upstream-score.timer": block("[Unit]\n   Description=Upstream, the nightly run at 3"),
    }
    for name, text in units.items():
        (tmp_path / name).write_text(text.replace(INSTALLED, str(here)))
    paths = [str(tmp_path / name) for name in units]
    done = subprocess.run(
        [program, "verify", "--man=no", *paths], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    for path in paths[:2]:
        secure = [program, "security", "--offline=yes", f"--threshold={EXPOSURE}", path]
        exposed = subprocess.run(secure, capture_output=True, text=True, check=False)
        assert exposed.returncode == 0, exposed.stdout.splitlines()[-1]

    port = str(free_port())
    moved = {INSTALLED: str(here), "/var/lib/upstream": str(home), "8000": port}
    nightly = of_unit(units["upstream-score.service"])
    (home / "service.db").unlink()
    words = [moved.get(word, word) for word in shlex.split(nightly["ExecStart"])]
    scored = subprocess.run(
        words, cwd=tmp_path, env=environment_of(nightly), capture_output=True, text=True, check=False
    )
    assert scored.returncode == 0 and (home / "service.db").exists(), scored.stderr

    unit = of_unit(units["upstream.service"])
    words = [moved.get(word, word) for word in shlex.split(unit["ExecStart"])]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment_of(unit), stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=int(unit["TimeoutStopSec"])) == 0
    finally:
        process.kill()
        process.wait()


def of_unit(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def environment_of(unit: dict[str, str]) -> dict[str, str]:
    """What a unit sets, over this process's own; the program of the environment runs this checkout."""
    own = dict([unit["Environment"].split("=", 1)]) if "Environment" in unit else {}
    return {**os.environ, "PYTHONPATH": str(ROOT), **own}


def test_behind_a_reverse_proxy(home, tmp_path):
    """nginx with the line of the page: TLS ends there, the name of the host and the client's address arrive, and
    nobody writes their own address."""
    token = issue_token(home, "pharmacist", ["north"])
    asked = {"UPSTREAM_PUBLIC_URL": f"https://{HOST}", "UPSTREAM_BEHIND_PROXY": "true"}
    with (
        served(home, **asked, UPSTREAM_STRANGER_RATE_PER_MINUTE="20") as (address, process),
        proxy(tmp_path, address) as client,
    ):
        team = client.get("/v1/teams/north/worklist", headers={"Authorization": f"Bearer {token}"})
        assert team.status_code == 200 and team.json()["items"]
        page = client.get("/sign-in")
        assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
        assert client.get("/sign-in", headers={"Host": "elsewhere.example"}).status_code == 400
        large = client.post("/v1/scores", content=b"x" * 33_000_000, headers={"Authorization": f"Bearer {token}"})
        assert large.status_code == 413
        forged = [guess(client, f"10.0.0.{n}") for n in range(25)]
        assert forged[0] == 401 and forged[-1] == 429, "each guess came from one address, whatever it said of itself"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
        assert client.get("/livez").status_code == 502


def guess(client: httpx.Client, address: str) -> int:
    headers = {"Authorization": "Bearer upstream_guessed", "X-Forwarded-For": address}
    return client.get("/v1/teams", headers=headers).status_code


@contextmanager
def proxy(folder: Path, upstream: str) -> Iterator[httpx.Client]:
    """nginx on a free port of this machine, with a certificate of its own that the client trusts."""
    program, openssl, port = needs("nginx"), needs("openssl"), free_port()
    certify = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
    names = ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([*certify, *names], cwd=folder, check=True, capture_output=True)
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; "
        f"{'user root; ' if not os.geteuid() else ''}events {{}}\n"
        f"http {{ access_log off; {kept}\n server {{ listen 127.0.0.1:{port} ssl; server_name {HOST};\n"
        f"ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;\n"
        f"{block('location /').replace('http://127.0.0.1:8000', upstream)} }} }}\n"
    )
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    trusted = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    try:
        # Named by its host, as a browser does, and reached on loopback.
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", headers={"Host": HOST}, verify=trusted, timeout=30
        ) as client:
            client.event_hooks["request"] = [lambda request: request.extensions.update(sni_hostname=HOST)]
            wait_for("/livez", client)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=120)


def wait_for(path: str, client: httpx.Client | None = None, seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            (client.get(path) if client else httpx.get(path, timeout=2)).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def test_a_new_database_password(home, start, postgres, world):
    """Changed in PostgreSQL and in the settings: the old one starts nothing any more and does not get it, the new one
    serves the same list."""
    score_store(home / "store", home / "bundles", postgres.url, world.AS_OF, threads=1)
    token = issue_token(postgres.url, "pharmacist", ["north"])
    # The tests' PostgreSQL trusts this machine; here it asks everybody but its superuser.
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    try:
        for password in ("old-and-known", "new-and-secret"):
            word = f"ALTER ROLE upstream PASSWORD '{password}'; SELECT pg_reload_conf()"
            postgres.run("psql", *postgres.admin, "-d", "upstream", "-c", word)
            url = postgres.url.replace("//upstream@", f"//upstream:{password}@")
            with start(home, database_url=url) as client:
                found = client.get("/v1/teams/north/worklist", headers={"Authorization": f"Bearer {token}"})
                assert found.status_code == 200 and found.json()["items"]
        with pytest.MonkeyPatch.context() as patch, pytest.raises(StartError) as refused:
            patch.setenv("UPSTREAM_DATABASE_URL", postgres.url.replace("//upstream@", "//upstream:old-and-known@"))
            serve(home, port=0)
        assert "old-and-known" not in str(refused.value)
    finally:
        rules.write_text(before)
        postgres.run("psql", *postgres.admin, "-d", "upstream", "-c", "SELECT pg_reload_conf()")


def test_an_older_release_refuses_a_newer_database_and_serves_its_backup(home, tmp_path):
    """The older release is this one without its newest migration, as a program of its own. It starts on the backup
    made before the upgrade."""
    older = tmp_path / "older"
    older.mkdir()
    for name in ("features", "models", "training"):  # the same, with what is compiled already
        (older / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "upstream.py", older)
    shutil.copytree(ROOT / "serving", older / "serving", ignore=shutil.ignore_patterns("__pycache__"))
    newest = max((older / "serving" / "storage" / "migrations" / "versions").glob("[0-9]*.py"))
    newest.unlink()
    backup = tmp_path / "before-the-upgrade.db"
    at_revision(older, home / "downgraded.db")
    shutil.copy(home / "downgraded.db", backup)

    said = start_of(older, home)
    assert said.returncode and "newer" in said.stderr and "Traceback" not in said.stderr
    for path in home.glob("service.db*"):
        path.unlink()
    shutil.copy(backup, home / "service.db")
    port = free_port()
    words = [sys.executable, "upstream.py", "serve", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(words, cwd=older, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/livez")
        checks = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).json()["checks"]
        assert {check["name"]: check["ok"] for check in checks}["database"]
    finally:
        process.terminate()
        process.wait(timeout=120)


def at_revision(older: Path, file: Path) -> None:
    """A database as the older release makes it."""
    make = (
        f"from serving.storage import migrations; from serving.storage.database import Database; d = "
        f"Database('sqlite:///{file}'); migrations.upgrade(d); d.close()"
    )
    subprocess.run([sys.executable, "-c", make], cwd=older, check=True)


def start_of(older: Path, home: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "upstream.py", "serve", "--home", str(home), "--port", str(free_port())]
    return subprocess.run(words, cwd=older, capture_output=True, text=True, timeout=600, check=False)
