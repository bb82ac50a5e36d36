"""``python -m serving.write_client docs/openapi.json`` writes the client's methods and the shapes of what is sent and
answered. A test compares them with what is committed.

Shapes are written by datamodel-code-generator, as typed dictionaries: what a program gets is plain JSON, and its type
checker knows the names.
"""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "client"

NAMES = {
    "discovery_cds_services_get": "cds_services",
    "select_cds_services_upstream_order_select_post": "order_select",
    "view_cds_services_upstream_patient_view_post": "patient_view",
    "feedback_cds_services__service_id__feedback_post": "card_feedback",
    "search_detectedissue_fhir_DetectedIssue_get": "fhir_detected_issues",
    "read_detectedissue_fhir_DetectedIssue__resource_id__get": "fhir_detected_issue",
    "search_riskassessment_fhir_RiskAssessment_get": "fhir_risk_assessments",
    "read_riskassessment_fhir_RiskAssessment__resource_id__get": "fhir_risk_assessment",
    "search_servicerequest_fhir_ServiceRequest_get": "fhir_service_requests",
    "read_servicerequest_fhir_ServiceRequest__resource_id__get": "fhir_service_request",
    "search_task_fhir_Task_get": "fhir_tasks",
    "read_task_fhir_Task__resource_id__get": "fhir_task",
    "metadata_fhir_metadata_get": "fhir_metadata",
    "livez_livez_get": "livez",
    "receipt_messages_receipts_post": "take_receipt",
    "reply_messages_replies_post": "take_reply",
    "nhs_notify_messages_nhs_notify_post": "take_from_nhs_notify",
    "metrics_metrics_get": "metrics",
    "readyz_readyz_get": "readyz",
    "emergencies_v1_audit_emergency_access_get": "emergency_accesses",
    "events_v1_audit_events_get": "audit_events",
    "model_v1_model_get": "model",
    "card_v1_model_card_get": "model_card",
    "person_v1_patients__patient_id__get": "person",
    "emergency_v1_patients__patient_id__emergency_access_post": "open_in_emergency",
    "history_v1_patients__patient_id__gap_statuses_get": "gap_statuses",
    "change_v1_patients__patient_id__gaps__code__status_post": "set_gap_status",
    "history_v1_patients__patient_id__reviews_get": "reviews",
    "record_v1_patients__patient_id__reviews_post": "record_review",
    "undo_v1_patients__patient_id__reviews__review_id__undo_post": "undo_review",
    "work_v1_patients__patient_id__work_get": "work",
    "change_v1_patients__patient_id__work_post": "set_work",
    "score_v1_scores_post": "score",
    "stream_v1_scores_stream_post": "score_stream",
    "teams_v1_teams_get": "teams",
    "overview_v1_teams__team_id__overview_get": "team_overview",
    "worklist_v1_teams__team_id__worklist_get": "worklist",
    "worklist_csv_v1_teams__team_id__worklist_csv_get": "worklist_csv",
    "version_version_get": "version",
}
"""What each operation is called in the client. A new operation needs a name here."""

HEAD = '''"""One method for each operation. Written by ``serving.write_client``: change nothing here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, cast
from urllib.parse import quote

from serving.client import shapes
from serving.client.connection import Connection


class Upstream(Connection):
    """The interface of one service. Every method raises ``CallRefused`` where the service refuses, and ``Unreachable``
    where it does not answer."""
'''


def written(document: dict[str, Any]) -> dict[str, str]:
    """The text of both files, by name, formatted."""
    return {"operations.py": _formatted(_operations(document)), "shapes.py": _formatted(_shapes(document))}


def _operations(document: dict[str, Any]) -> str:
    unnamed = {found["operationId"] for _, _, found in _every(document)} - NAMES.keys()
    if unnamed:
        raise ValueError(f"operations without a name in serving/write_client.py: {', '.join(sorted(unnamed))}")
    return HEAD + "".join(_method(document, *found) for found in _every(document))


def _every(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb.upper(), found) for path, verbs in document["paths"].items() for verb, found in verbs.items()]


def _method(document: dict[str, Any], path: str, verb: str, operation: dict[str, Any]) -> str:
    given = [*operation.get("parameters", [])]
    in_path, in_query, in_header = ([p for p in given if p["in"] == place] for place in ("path", "query", "header"))
    sends = next(iter(operation.get("requestBody", {}).get("content", {}).items()), None)
    answers = next(iter(_succeeds(operation).get("content", {}).items()), None)
    lines = sends is not None and sends[0] == "application/x-ndjson"
    words = ["self", *(f"{_word(p)}: {_type(document, p['schema'])}" for p in in_path)]
    if sends is not None:
        words.append("bodies: Iterable[shapes.PersonIn]" if lines else f"body: {_type(document, sends[1]['schema'])}")
    named = [f"{_word(p)}: {_optional(_type(document, p['schema']))} = None" for p in (*in_query, *in_header)]
    words += ["*", *named] if named else []
    address = 'f"' + path + '"' if in_path else f'"{path}"'
    for p in in_path:
        address = address.replace("{" + p["name"] + "}", "{quote(" + _word(p) + ", safe='')}")
    query = "{" + ", ".join(f'"{p["name"]}": {_word(p)}' for p in in_query) + "}" if in_query else "None"
    said = textwrap.indent(textwrap.fill(operation["description"].split("\n\n")[0], 105), " " * 8).strip()
    asked = [f'"{verb}"', address, *([query] if in_query or sends or in_header else [])]
    if lines:
        kind, body = "Iterator[dict[str, Any]]", f"return self._lines({', '.join(asked)}, bodies)"
    elif answers is not None and answers[0].startswith("text/"):
        kind, body = "str", f"return self._text({', '.join(asked)})"
    else:
        asked += ["body"] if sends else ["None"] if in_header else []
        asked += ["{" + ", ".join(f'"{p["name"]}": {_word(p)}' for p in in_header) + "}"] if in_header else []
        kind = "None" if answers is None else _type(document, answers[1]["schema"])
        call = f"self._json({', '.join(asked)})"
        body = call if answers is None else f'return cast("{kind}", {call})'
    head = f"def {NAMES[operation['operationId']]}({', '.join(words)}) -> {kind}:"
    return f'\n    {head}\n        """{said}"""\n        {body}\n'


def _succeeds(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    return found


def _word(parameter: dict[str, Any]) -> str:
    word = str(parameter["name"]).replace("-", "_").lower()
    return f"{word}_" if keyword.iskeyword(word) else word


def _optional(kind: str) -> str:
    return kind if kind.endswith("| None") else f"{kind} | None"


def _type(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type of Python for what a schema allows."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = document["components"]["schemas"][name]
        return f"Literal[{', '.join(map(repr, target['enum']))}]" if "enum" in target else f"shapes.{name}"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(document, option) for option in schema["anyOf"]))
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if schema.get("type") == "array":
        return f"list[{_type(document, schema['items'])}]"
    simple = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    return simple.get(schema.get("type", ""), "dict[str, Any]")


def _shapes(document: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "shapes.py"
        source.write_text(json.dumps(document), encoding="utf-8")
        words = ["--input", str(source), "--input-file-type", "openapi", "--output", str(made), "--disable-timestamp"]
        words += ["--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"]
        words += ["--use-standard-collections", "--use-union-operator", "--enum-field-as-literal", "all"]
        words += ["--collapse-root-models", "--formatters", "ruff-format"]
        subprocess.run([sys.executable, "-m", "datamodel_code_generator", *words], check=True, capture_output=True)
        text = made.read_text(encoding="utf-8")
    head = '"""What is sent and answered, as typed dictionaries. Written by ``serving.write_client``."""\n\n'
    text = text.replace(", closed=True", "").replace("from typing_extensions import TypedDict\n", "")
    text = text.replace("from typing import ", "from typing import TypedDict, ", 1)
    return head + text[text.index("from __future__") :]


def _formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff"]
    checked = ["check", "--select", "I,F401", "--fix", "--quiet", "--stdin-filename", str(HERE / "shapes.py"), "-"]
    for words in (checked, ["format", "--stdin-filename", str(HERE / "shapes.py"), "-"]):
        text = subprocess.run([*command, *words], input=text, text=True, check=True, capture_output=True).stdout
    return text


if __name__ == "__main__":
    for _name, _text in written(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).items():
        (HERE / _name).write_text(_text, encoding="utf-8")
