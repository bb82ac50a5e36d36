"""Jinja, set up once: NHS components, autoescape, our wording as filters, and what every page says around its
content."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, Template
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from features.kernels.coverage import CARRY_DAYS
from serving import gap_wording, wording
from serving.access import SESSION_COOKIE
from serving.http.problems import Problem, request_id_of
from serving.identity.callers import Caller
from serving.runs.schemas import RunInfo
from serving.security.tokens import form_token
from serving.state import Service, service_of
from serving.summaries import words as summary_words
from serving.web import fragments, nhsuk
from serving.web.charts import trend_chart, year_view
from serving.web.forms.gap_status_form import last_day

STATIC_FOLDER = Path(__file__).parent / "static"
FILTERS = (
    "adjustment_words",
    "ago",
    "dated",
    "day",
    "days",
    "length_of_time",
    "feature_name",
    "feature_words",
    "in_100",
    "near_day",
    "outcome_label",
    "people",
    "plain",
    "refusal",
    "sentence",
    "severity_colour",
    "severity_label",
    "short_day",
    "short_in_100",
    "signed",
    "since",
    "source_label",
    "unread_words",
    "upper_first",
    "without_row_ids",
)

SUMMARY_FILTERS = ("dose_of", "due_words", "dues_by_day", "form_words", "prescriber_words", "scope_words")


@dataclass(frozen=True)
class Around:
    """The frame of every page. ``synthetic`` is also true while nothing is known yet in a demo: better too often than
    too rarely.
    """

    caller: Caller | None
    run: RunInfo | None
    synthetic: bool
    not_promoted: tuple[str, ...]
    stale: bool
    list_as_of: dt.date | None
    demo: bool
    model_version: str
    model_problem: str
    model_loaded: bool
    form_token: str
    support: str


def around(request: Request, caller: Caller | None = None, run: RunInfo | None = None) -> Around:
    service = service_of(request)
    standing = service.live.standing
    model = standing.model
    secret = request.cookies.get(SESSION_COOKIE, "")
    if run is not None:
        service.shown.run = run
    return Around(
        caller=caller,
        run=run,
        synthetic=_synthetic(service, run),
        not_promoted=_not_promoted(service, run),
        # Pages that show no list, as the audit log, say it too: of the list that any page showed last.
        stale=(listed := run or service.shown.run) is not None and listed.is_stale(dt.date.today()),
        list_as_of=listed.as_of if listed is not None else None,
        demo=service.settings.environment == "demo",
        model_version=run.model_version if run else (model.manifest.model_version if model else ""),
        model_problem=standing.problem,
        model_loaded=model is not None,
        form_token=form_token(secret) if secret else "",
        support=service.settings.support_contact,
    )


def _synthetic(service: Service, run: RunInfo | None) -> bool:
    model = service.live.current
    known = [run.synthetic] if run else []
    if model is not None:
        known.append(model.manifest.synthetic)
    return any(known) if known else service.settings.environment == "demo"


def _not_promoted(service: Service, run: RunInfo | None) -> tuple[str, ...]:
    """The gates that refused the model behind this page: the model of the list shown, else the served model."""
    model = service.live.current
    if run is not None and run.not_promoted:
        return tuple(run.not_promoted)
    return model.manifest.not_promoted if model is not None else ()


def environment() -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader("serving", "web/templates"), PackageLoader("nhsuk_frontend_jinja")]),
        undefined=ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update({name: getattr(wording, name) for name in FILTERS})
    # The usual filter leaves "/" as it is, and an id may hold one.
    made.filters.update(last_status_day=last_day, urlencode=lambda text: quote(str(text), safe=""))
    made.filters.update({name: getattr(summary_words, name) for name in SUMMARY_FILTERS})
    made.filters.update(gap_date=gap_wording.gap_date, gap_length=gap_wording.gap_length)
    made.filters.update(gap_said=fragments.gap_said, gap_line=fragments.gap_line, reason_lines=fragments.reason_lines)
    made.globals["carry_days"] = CARRY_DAYS
    made.filters.update(sparkline=trend_chart.sparkline, moved=trend_chart.moved, gap_words=year_view.gap_words)
    made.globals["nhsuk_style"] = (nhsuk.FOLDER / nhsuk.STYLE).is_file()
    made.globals["nhsuk_script"] = (nhsuk.FOLDER / nhsuk.SCRIPT).is_file()
    return made


ENVIRONMENT = environment()


def page(request: Request, template: str, *, surroundings: Around, status: int = 200, **context: Any) -> Response:
    """A page. It is rendered completely before anything is sent, so an error never leaves half a page."""
    return HTMLResponse(_rendered(ENVIRONMENT.get_template(template), {"around": surroundings, **context}), status)


def _rendered(template: Template, values: dict[str, Any]) -> str:
    """``template.render``, after which nothing of the page stays: a template's macros and its context hold each other.

    Left to the collector of cycles, the 20,000 objects of a long list cost it a tenth of the page's time.
    """
    context = template.new_context(values)
    try:
        return "".join(template.root_render_func(context))
    finally:
        context.vars.clear()
        context.parent.clear()


def problem_page(request: Request, problem: Problem) -> Response:
    """The same problem as the JSON, as a page, for the signed-in person, if already known."""
    answer = page(
        request,
        "problem.html",
        surroundings=around(request, request.scope.get("state", {}).get("caller")),
        status=problem.status,
        problem=problem.body(request_id_of(request.scope)),
        retry_after=problem.headers.get("Retry-After"),
        sent=request.method != "GET",
    )
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer
