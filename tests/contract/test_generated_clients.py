"""Clients that others generate from /openapi.json: built here, and every operation called on a running service.

Python by openapi-python-client and by OpenAPI Generator, TypeScript by openapi-typescript. ``make clients`` fetches
the three; without them the tests skip and say so.
"""

from __future__ import annotations

import datetime as dt
import enum
import importlib
import inspect
import io
import json
import os
import re
import shutil
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

from serving.write_client import NAMES
from tests.conftest import ROOT
from tests.contract.conversation import SIGNED_BY_ITS_SENDER, Call, converse, talking

TOOLS = ROOT / ".tools" / "clients"
PYTHON_TOOLS = TOOLS / "python"
DOCUMENT = ROOT / "docs" / "openapi.json"
STREAM = "stream_v1_scores_stream_post"
pytestmark = pytest.mark.slow
needs_python_tools = pytest.mark.skipif(not PYTHON_TOOLS.exists(), reason="make clients fetches the generators")
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="OpenAPI Generator needs Java")
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (TOOLS / "node_modules").exists(), reason="make clients fetches them; needs npm"
)


def tool(folder: Path, *words: str) -> None:
    """Runs a generator of ``make clients``."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PYTHON_TOOLS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]


def lines_of(bodies: list[Any]) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def read(call: Call, content: bytes) -> Any:
    """What a service answered, as the conversation continues with it."""
    text = content.decode()
    if call.operation == STREAM:
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text) if text[:1] in ("{", "[") else text


def snake(name: str) -> str:
    return re.sub(r"_+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


@needs_python_tools
def test_openapi_python_client(home, tmp_path, monkeypatch):
    # It knows no type of lines; the stream is handed over as bytes.
    (tmp_path / "config.yaml").write_text("content_type_overrides: {application/x-ndjson: application/octet-stream}\n")
    words = ["generate", "--path", str(DOCUMENT), "--output-path", "made_by_opc", "--meta", "none"]
    tool(tmp_path, "-m", "openapi_python_client", *words, "--config", "config.yaml")
    monkeypatch.syspath_prepend(tmp_path)
    client = importlib.import_module("made_by_opc")
    modules = {path.stem: path for path in (tmp_path / "made_by_opc" / "api").rglob("*.py")}

    def ask(call: Call) -> Any:
        path = modules[snake(call.operation)].relative_to(tmp_path).with_suffix("")
        module = importlib.import_module(".".join(path.parts))
        words = {snake(name.replace("-", "_")): value for name, value in (call.query | call.headers).items()}
        wanted = inspect.signature(module.sync_detailed, eval_str=True).parameters
        for name, value in words.items():
            words[name] = as_asked(wanted[name].annotation, value)
        if call.operation == STREAM:
            words["body"] = importlib.import_module("made_by_opc.types").File(io.BytesIO(lines_of(call.body)))
        elif call.body is not None:
            words["body"] = next(
                option for option in options(wanted["body"].annotation) if hasattr(option, "from_dict")
            ).from_dict(call.body)
        made = client.AuthenticatedClient(base_url=service.address, token=service.token_of(call), timeout=60)
        with made as signed:
            answer = module.sync_detailed(*call.path.values(), client=signed, **words)
        assert 200 <= answer.status_code < 300, (call.operation, answer.content)
        return read(call, answer.content)

    with talking(home, tmp_path) as service:
        assert converse(ask).keys() == NAMES.keys() - SIGNED_BY_ITS_SENDER


def options(annotation: Any) -> list[Any]:
    """The types of a union or of an annotated type, however deep."""
    if isinstance(annotation, type):
        return [annotation]
    return [option for inner in typing.get_args(annotation) for option in options(inner)]


def as_asked(annotation: Any, value: Any) -> Any:
    """A plain value as the type that a generated method asks for: an enum, a date, or itself."""
    for option in options(annotation):
        if isinstance(option, type) and issubclass(option, enum.Enum):
            return option(value)
        if option is dt.date:
            return dt.date.fromisoformat(value)
    return value


@needs_python_tools
@needs_java
def test_openapi_generator(home, tmp_path, monkeypatch):
    words = ["generate", "-i", str(DOCUMENT), "-g", "python", "-o", "made", "--package-name", "made_by_generator"]
    tool(tmp_path, "-c", "from openapi_generator_cli import cli; cli()", *words)
    monkeypatch.syspath_prepend(tmp_path / "made")
    made = importlib.import_module("made_by_generator")
    methods = {
        name: (api, getattr(api, name))
        for module in (importlib.import_module("made_by_generator.api"),)
        for api in vars(module).values()
        if inspect.isclass(api)
        for name in vars(api)
    }

    def ask(call: Call) -> Any:
        configuration = made.Configuration(host=service.address, access_token=service.token_of(call))
        with made.ApiClient(configuration) as client:
            api, method = methods[f"{snake(call.operation)}_without_preload_content"]
            given = call.path | call.query | call.headers
            words = {snake(name.replace("-", "_")): value for name, value in given.items()}
            taken = inspect.signature(method).parameters
            words = {name: as_asked(taken[name].annotation, value) for name, value in words.items()}
            if call.body is not None:
                body = next(name for name in taken if name not in (*words, "self") and not name.startswith("_"))
                shape = getattr(made, "".join(word.title() for word in body.split("_")), None)
                words[body] = lines_of(call.body) if call.operation == STREAM else shape.from_dict(call.body)
            answer = method(api(client), **words)
            content = answer.read()
        assert 200 <= answer.status < 300, (call.operation, content)
        return read(call, content)

    with talking(home, tmp_path) as service:
        assert converse(ask).keys() == NAMES.keys() - SIGNED_BY_ITS_SENDER


TALKER = """
import { createInterface } from "node:readline";
import createClient from "openapi-fetch";
const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const { address, verb, path, params, headers, body, text } = JSON.parse(line);
  const client = createClient({ baseUrl: address, headers });
  const more = text === undefined ? { body } : { body: text, bodySerializer: (sent) => sent };
  const { data, error, response } = await client.request(verb, path, { params, ...more, parseAs: "text" });
  process.stdout.write(JSON.stringify({ status: response.status, data: data ?? "", error }) + "\\n");
}
"""


@needs_node
def test_openapi_typescript(home, tmp_path):
    """Each call is made through openapi-fetch, and stands in a program that the TypeScript compiler checks strictly."""
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    tools = TOOLS / "node_modules" / ".bin"
    # Without the switch, what has a default would have to be sent.
    run = [str(tools / "openapi-typescript"), str(DOCUMENT), "-o", "api.d.ts", "--default-non-nullable", "false"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, timeout=600)
    (tmp_path / "talker.mjs").write_text(TALKER)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program = ['import createClient from "openapi-fetch";', 'import type { paths } from "./api.d.ts";']
    program += ["const client = createClient<paths>();"]

    def ask(call: Call) -> Any:
        verb, path = service.route(call.operation)
        params = {"path": call.path, "query": call.query, "header": call.headers}
        sent = {"params": {place: values for place, values in params.items() if values}}
        streams = call.operation == STREAM
        kind = {"Content-Type": "application/x-ndjson" if streams else "application/json"} if call.body else {}
        extra = {} if call.body is None else {"text": lines_of(call.body).decode()} if streams else {"body": call.body}
        typed = sent | ({"body": None} if streams else extra)
        program.append(f"await client.{verb}({json.dumps(path)}, {json.dumps(typed)});")
        headers = {"Authorization": f"Bearer {service.token_of(call)}", **kind}
        request = {"address": service.address, "verb": verb.lower(), "path": path, "headers": headers, **sent, **extra}
        talker.stdin.write(json.dumps(request) + "\n")
        talker.stdin.flush()
        answer = json.loads(talker.stdout.readline())
        assert 200 <= answer["status"] < 300, (call.operation, answer)
        return read(call, answer["data"].encode())

    command = ["node", "talker.mjs"]
    with (
        talking(home, tmp_path) as service,
        subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        ) as talker,
    ):
        assert converse(ask).keys() == NAMES.keys() - SIGNED_BY_ITS_SENDER
        talker.stdin.close()
    (tmp_path / "calls.ts").write_text("\n".join([*program, "export {};"]))
    words = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    checked = subprocess.run(
        [str(tools / "tsc"), *words, "--allowImportingTsExtensions", "calls.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
