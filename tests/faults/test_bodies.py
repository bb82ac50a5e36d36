"""One client takes no memory: not without a token, not with one, not by headers that never end."""

from __future__ import annotations

import http.client
import shutil
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from serving.security.tokens import issue_token
from tests.benchmarks import limits
from tests.faults.processes import served

MALFORMED = b'{"people": [' + b'{"patient_id": "a", "tables": {"supplies": []}},' * 625_000
GOOD = b'{"people": [{"patient_id": "a", "tables": {}}]}'
MEGABYTE = 1_000_000


def resident(process):
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def send(address, body, headers):
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        connection.request("POST", "/v1/scores", body, {"Content-Type": "application/json", **headers})
        return connection.getresponse().status
    except (BrokenPipeError, ConnectionResetError):
        return 0
    finally:
        connection.close()


def warm(address, token):
    """What the first requests load stays."""
    for body in (b"{}", GOOD):
        send(address, body, {"Authorization": f"Bearer {token}"})


def settles(process, most):
    """Memory is given back after an answer has left, so it may take a moment."""
    for _ in range(100):
        if (now := resident(process)) < most:
            return
        time.sleep(0.1)
    assert now < most, f"{(now - most) / MEGABYTE:.0f} MB too many"


@pytest.mark.slow
@pytest.mark.fault(
    "60 malformed bodies of 30 MB from a client without a token, and 3 with one",
    "401 and 422; memory goes back to its level",
)
def test_malformed_bodies_leave_no_memory_behind(home):
    token = issue_token(home, "cmht_system", None)
    with served(home, UPSTREAM_ENVIRONMENT="production") as (address, process):
        assert len(MALFORMED) > 29 * MEGABYTE
        warm(address, token)
        before = resident(process)
        strangers = {send(address, MALFORMED, {}) for _ in range(60)}
        assert strangers <= {401, 0}
        settles(process, before + 30 * MEGABYTE)
        assert {send(address, MALFORMED, {"Authorization": f"Bearer {token}"}) for _ in range(3)} == {422}
        settles(process, before + 60 * MEGABYTE)
        assert send(address, GOOD, {"Authorization": f"Bearer {token}"}) == 200


@pytest.fixture(scope="module")
def quiet(made_home, tmp_path_factory):
    """The address and the process of a service that does nothing else, and the memory that it holds then."""
    home = shutil.copytree(made_home, tmp_path_factory.mktemp("quiet") / "home")
    with served(home, UPSTREAM_ENVIRONMENT="production") as (address, process):
        warm(address, "unknown")
        yield address, process, resident(process)


@pytest.mark.slow
@pytest.mark.fault(
    "a client whose header lines, trailers or chunk extensions never end",
    "431, or the connection is closed; memory goes back to its level",
)
@pytest.mark.parametrize(
    "begin",
    [
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        b"GET /",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
        b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["header", "address", "trailer", "chunk extension"],
)
def test_endless_headers_trailers_and_chunk_extensions_are_cut_off(quiet, begin):
    address, process, before = quiet
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as client:
        sent = 0
        try:
            client.sendall(begin)
            while sent < 100 * MEGABYTE:
                client.sendall(b"a" * 65_536)
                sent += 65_536
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert sent < 100 * MEGABYTE, "the connection was never closed"
    settles(process, before + 30 * MEGABYTE)


@pytest.mark.slow
@pytest.mark.fault(
    "100 clients without a token send the worst bodies, under 1 GiB of address space",
    "no pharmacist beside them gets an error; no 500 at all; memory comes back to within 10%",
)
def test_a_hundred_attackers_with_the_largest_bodies_do_not_stop_the_service(home):
    """One short attack of ``make bench ONLY=limits``, which makes two and says how long the pharmacists waited."""
    found = limits.run(5.0, home=home, attacks=1)
    assert found["held"] and found["answers"] >= limits.PHARMACISTS, found
    assert "500" not in found["attacks"] and sum(found["attacks"].values()) >= limits.ATTACKERS, found
