"""Results that may be a harm of a medicine: sodium, liver, platelets, white cells, creatine kinase, ammonia and the
levels of carbamazepine and valproate. Each limit is a row of ``thresholds.csv``; each finding has its own action.

A value counts until there is a newer one: age alone does not make a dangerous result safe [D].
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from features.gaps import citations
from features.gaps.codes import CODES
from features.gaps.gap import Evidence, Finding, Gap, Severity, gap_of, iso
from features.gaps.person_view import PersonAsKnown, meant
from features.medicines.courses import Course
from features.reference import TESTS, THRESHOLDS, bands

REPEAT_DAYS = 28
"""A result older than this is marked as not repeated."""


class Limit(NamedTuple):
    """Bands of one test, the worst first, for people on one of ``terms`` (empty: anybody on the caseload)."""

    test: str
    bands: tuple[tuple[str, Severity], ...]
    terms: tuple[str, ...]
    action: str
    but: tuple[str, ...] = ()
    """Left out for people on one of these medicines, because another rule reads the test for them."""


bands("th047", "th048", "th049", "th086", "th087", "th088", "th089", "th090", "th091", "th092", "th093", "th094")
bands("th095", "th106", "th109", "th013")

LIMITS: tuple[Limit, ...] = (
    Limit(
        "sodium",
        (("th049", "critical"),),
        (),
        "Sodium below 125: urgent medical referral today; stop the likely medicine on medical advice.",
    ),
    Limit(
        "sodium",
        (("th048", "high"), ("th047", "low")),
        ("antidepressant_ssri", "antidepressant_snri", "mirtazapine", "carbamazepine"),
        "Low sodium: repeat it within days; ask about confusion, falls and fluids; consider another medicine.",
    ),
    Limit(
        "alt",
        (("th086", "high"),),
        ("agomelatine",),
        "Liver test above 3 times the limit: stop agomelatine and repeat the liver tests.",
    ),
    Limit(
        "alt",
        (("th087", "high"),),
        ("valproate", "duloxetine", "carbamazepine", "clozapine", "naltrexone"),
        "Liver test above 3 times the limit: repeat with clotting today; review or stop the medicine.",
    ),
    Limit(
        "platelets",
        (("th088", "high"),),
        ("valproate",),
        "Low platelets: repeat with a clotting screen; ask about bruising; review or reduce valproate.",
    ),
    Limit(
        "wbc",
        (("th089", "high"),),
        ("carbamazepine",),
        "Low white cells: repeat today; ask about fever and sore throat; stop if it is severe or falling.",
        ("clozapine",),
    ),
    Limit(
        "anc",
        (("th013", "critical"), ("th090", "high")),
        ("carbamazepine", "mirtazapine", "antipsychotic_any"),
        "Low neutrophils: stop the likely medicine and ask haematology today; ask about fever and sore throat.",
        ("clozapine",),
    ),
    Limit(
        "carbamazepine_level",
        (("th109", "critical"),),
        ("carbamazepine",),
        "Carbamazepine toxicity: medical review today; the dose and interacting medicines; repeat the level.",
    ),
    Limit(
        "carbamazepine_level",
        (("th091", "high"), ("th092", "low")),
        ("carbamazepine",),
        "Carbamazepine level outside its range: check the time of the sample, the dose and interacting medicines; "
        "look for drowsiness and unsteadiness where it is high.",
    ),
    Limit(
        "valproate_level",
        (("th093", "high"),),
        ("valproate",),
        "High valproate level: check the time of the sample and the dose; look for drowsiness and confusion.",
    ),
    Limit(
        "ammonia",
        (("th095", "high"),),
        ("valproate",),
        "High ammonia: look for confusion and drowsiness today; stop valproate if there are symptoms.",
    ),
    Limit(
        "ck",
        (("th106", "critical"), ("th094", "high")),
        ("antipsychotic_any",),
        "High creatine kinase: look for fever, rigidity and confusion today; stop the antipsychotic if they are there.",
    ),
)


@cache
def _names(terms: tuple[str, ...]) -> frozenset[str]:
    return frozenset[str]().union(*(meant(term) for term in terms))


def held_of(person: PersonAsKnown, terms: tuple[str, ...]) -> list[Course]:
    """Current courses of the medicines named by ``terms``, in any form."""
    if not terms:
        return []
    names = _names(terms)
    return [c for c in person.current if c.medicine.name in names or c.medicine.base in names]


def dangerous(person: PersonAsKnown) -> Iterator[Gap]:
    """RESULT_DANGEROUS: the latest result of a test lies in a dangerous band for a medicine that is taken (sodium below
    125: for anybody)."""
    found = []
    for limit in LIMITS:
        last = person.newest(limit.test)
        if last is None or not any(THRESHOLDS[key].holds(last.value) for key, _ in limit.bands):
            continue
        held = held_of(person, limit.terms)
        if (limit.terms and not held) or held_of(person, limit.but):
            continue
        for key, severity in limit.bands:
            row = THRESHOLDS[key]
            if not row.holds(last.value):
                continue
            label = TESTS[limit.test].label
            said = f"{label} {last.value:g} {row.unit} on {iso(last.day)}"
            if held:
                when = " with" if _taken_by(person, limit.terms, last.day) else ", before"
                said += f"{when} {', '.join(dict.fromkeys(c.medicine.name for c in held))}"
            said += ": " + row.meaning + _not_repeated(person, last.day)
            found.append(
                Finding(
                    severity,
                    said,
                    (citations.threshold(key),),
                    (Evidence("results", last.row, last.day, label),),
                    action=limit.action,
                    alarm=severity != "low",
                )
            )
            break
    yield from gap_of(CODES["RESULT_DANGEROUS"], found)


def _taken_by(person: PersonAsKnown, terms: tuple[str, ...], day: int) -> bool:
    """Whether a medicine named by ``terms`` was supplied by a day. An older result is still the last known: it counts,
    and is not said to be of that medicine."""
    names = _names(terms)
    return any(c.first_start <= day for c in person.courses if c.medicine.name in names or c.medicine.base in names)


def _not_repeated(person: PersonAsKnown, day: int) -> str:
    return "; not repeated since" if person.as_of - day > REPEAT_DAYS else ""


RULES = (dangerous,)
