"""The need of each rule (features/gaps/rules/needs.py). A rule that is not named here is asked about everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from features.gaps.events import YEAR
from features.gaps.rules.engagement import changes, contact, review, support
from features.gaps.rules.monitoring import (
    again,
    clozapine,
    clozapine_levels,
    clozapine_results,
    lithium,
    physical,
    results,
    schedule,
)
from features.gaps.rules.needs import Need, Rule, medicines
from features.gaps.rules.number_ranges import NumberRange, NumberRanges, band
from features.gaps.rules.prescribing import (
    antipsychotics,
    burdens,
    doses,
    interactions,
    pregnancy,
    untreated,
    valproate,
)
from features.gaps.rules.supply import depot, oral, stock
from features.gaps.shard import Shard
from features.gaps.shard_columns import Bools
from features.kernels import courses as course
from features.kernels.coverage import COURSE_GAP_DAYS
from features.kernels.regimen import CURRENT_GRACE_DAYS, NEW_PAIR_DAYS
from features.medicines import regimen
from features.records.days import NO_DAY
from features.records.tables import THREE_WAY
from features.reference import MEDICINES, Medicine
from features.reference.diagnoses import in_group
from features.reference.medicines.allergies import medicines_of_allergy
from features.reference.medicines.injections import INJECTION_COURSES, INJECTION_STARTS
from features.reference.medicines.stops import sudden_stop


def _antipsychotic(medicine: Medicine) -> bool:
    return medicine.is_antipsychotic


def _psychotropic(medicine: Medicine) -> bool:
    return medicine.is_psychotropic


def _injection(medicine: Medicine) -> bool:
    return medicine.is_long_acting_injection


def _clozapine(medicine: Medicine) -> bool:
    return medicine.base == "clozapine"


def _lithium(medicine: Medicine) -> bool:
    return medicine.base == "lithium"


def _valproate(medicine: Medicine) -> bool:
    return medicine.base == "valproate"


def _harms_in_pregnancy(medicine: Medicine) -> bool:
    return medicine.base in {row.base for row in pregnancy.HARMS}


def _runs_out(medicine: Medicine) -> bool:
    return bool(oral.class_of(medicine)) or sudden_stop(medicine.name) is not None


def _needs_steps(medicine: Medicine) -> bool:
    """An injection that starts with tablets, or after which somebody is observed."""
    start = INJECTION_STARTS.get(medicine.name)
    return medicine.name == depot.EMBONATE or (start is not None and start.oral_cover_days is not None)


_ANTIPSYCHOTIC, _INJECTION, _CLOZAPINE = medicines(_antipsychotic), medicines(_injection), medicines(_clozapine)
_LITHIUM = medicines(_lithium)


def _titrated(medicine: Medicine) -> bool:
    return medicine.base == oral.TITRATED


_TITRATED = medicines(_titrated)
_CHECKED_AGAIN = medicines(again.checked_again)
_OF_CLASS = medicines(again.of_class)
_BASE = regimen.facts().base
_LEAST_MAXIMUM = np.array([doses.least_maximum(medicine.base) for medicine in MEDICINES.values()])
_CLASSES = ("antipsychotic", "lithium", "mood stabiliser")
_CLASS = np.array([_CLASSES.index(oral.class_of(m)) if oral.class_of(m) else -1 for m in MEDICINES.values()])


def _stop_after(medicine: Medicine) -> float:
    """Days without supply after which a medicine may be reported; infinite for an antipsychotic, whose class counts."""
    stop, own_class = sudden_stop(medicine.name), oral.class_of(medicine)
    after = [stop.from_day] if stop else []
    return min([*after, *([oral.WEEK] if own_class and own_class != "antipsychotic" else [])], default=np.inf)


_STOP_AFTER = np.array([_stop_after(medicine) for medicine in MEDICINES.values()])

_SIDE_EFFECTS = NumberRanges(
    *(band(key, test) for test, scores in burdens.SCORES for key, _ in scores),
    *(NumberRange(test, low=burdens.SCORE_LIMIT) for test in ("movement_score", "sedation_score")),
    NumberRange("prolactin", low=burdens.PROLACTIN_MARKED),  # a lower one is named beside another side effect only
)
_DANGEROUS = NumberRanges(*(band(key, limit.test) for limit in results.LIMITS for key, _ in limit.bands))


def _rose(shard: Shard, test: str, by: float) -> Bools:
    """Whose newest number of a test lies at least that far above the least."""
    one = shard.result_segments
    risen = (one.test == shard.shared.tests.index(test)) & (one.newest - one.least >= by)
    return shard.any_of(one.who[risen])


def _metabolic(shard: Shard) -> Bools:
    return physical.METABOLIC.hold_newest(shard) | physical.weight_rose(shard)


def _cardiovascular(shard: Shard) -> Bools:
    several = shard.regimen[:, regimen.FIELDS.index("qt_medicines")] >= 2
    return physical.CARDIOVASCULAR.hold_newest(shard) | _rose(shard, "qtc", physical.QTC_RISE_MS) | several


def _regular(shard: Shard) -> Bools:
    """Which courses are not as required."""
    return shard.courses.number(course.REQUIRED) != 1


def _ran_out(shard: Shard) -> Bools:
    """Who has regular medicine that ran out in the last year: of antipsychotics, all of it and in the last 90 days."""
    columns, t = shard.courses, shard.as_of
    who, end, medicine = columns.number(course.WHO), columns.number(course.END), columns.medicine
    regular = _regular(shard)
    alone = regular & (t - end >= _STOP_AFTER[medicine]) & (t - end <= YEAR)
    last = np.full(len(shard), course.NEVER, np.int64)
    own = regular & _ANTIPSYCHOTIC[medicine]
    np.maximum.at(last, who[own], end[own])
    all_of_it = (t - last >= oral.WEEK) & (t - last <= COURSE_GAP_DAYS)
    return shard.any_of(who[alone]) | all_of_it


_MOST_MISSED = min(oral.GAP_DAYS, round((1 - oral.LOW_COVER) * oral.WINDOW))
"""Days of the last 90 without supply up to which no fall and no long gap is possible."""


def _less_covered(shard: Shard) -> Bools:
    """Who holds a class for 180 days of which no one medicine covers nearly all of the last 90, or holds lithium."""
    columns, t = shard.courses, shard.as_of
    start = t - oral.WINDOW
    group = _CLASS[columns.medicine]
    of_class = np.flatnonzero((group >= 0) & _regular(shard))
    key = columns.number(course.WHO)[of_class] * len(_CLASSES) + group[of_class]
    size = len(shard) * len(_CLASSES)
    cover, begun, end = np.zeros(size, np.int64), np.full(size, t, np.int64), np.full(size, course.NEVER, np.int64)
    np.maximum.at(cover, key, columns.days_covered(start, t)[of_class])
    np.minimum.at(begun, key, columns.number(course.FIRST_START)[of_class])
    np.maximum.at(end, key, columns.number(course.END)[of_class])
    held = (begun <= t - 2 * oral.WINDOW) & (end >= t - COURSE_GAP_DAYS)
    full = cover.reshape(len(shard), -1) >= oral.WINDOW - _MOST_MISSED
    # days in hospital count for nothing, so that few days missed may be a large share
    away = shard.stayed(lambda stay: stay.discharged == NO_DAY or stay.discharged > start)
    fell = held.reshape(len(shard), -1) & (~full | away[:, None])
    return fell.any(axis=1) | _held(shard, _LITHIUM)


def _held(shard: Shard, which: Bools) -> Bools:
    """Who has a current course of some medicines."""
    columns = shard.courses
    now = columns.number(course.END) >= shard.as_of - CURRENT_GRACE_DAYS
    return shard.any_of(columns.number(course.WHO)[now & which[columns.medicine]])


def _changed(shard: Shard) -> Bools:
    """Who has two antipsychotics of the class that is checked together, past ones included, and began one of them
    recently enough that it may still ask for checks of its first weeks."""
    columns = shard.courses
    mine, since = _OF_CLASS[columns.medicine], shard.as_of - again.LAST_FIRST_CHECK - YEAR
    who = columns.number(course.WHO)
    several = np.bincount(who[mine], minlength=len(shard)) > 1
    return several & shard.any_of(who[mine & (columns.number(course.START) >= since)])


def _ever(shard: Shard, which: Bools) -> Bools:
    """Who has a regular course of some medicines, current or past."""
    columns = shard.courses
    return shard.any_of(columns.number(course.WHO)[_regular(shard) & which[columns.medicine]])


def _without_antipsychotic(shard: Shard) -> Bools:
    """Who has no regular antipsychotic by mouth that lasted into the last 90 days, and has had one or a diagnosis."""
    columns = shard.courses
    lately = _regular(shard) & (columns.number(course.END) >= shard.as_of - COURSE_GAP_DAYS)
    lately &= _ANTIPSYCHOTIC[columns.medicine] & ~_INJECTION[columns.medicine]
    covered = shard.any_of(columns.number(course.WHO)[lately])
    return ~covered & (_ever(shard, _ANTIPSYCHOTIC) | shard.recorded("diagnosis"))


def _diagnosed(shard: Shard, group: str) -> Bools:
    return shard.recorded("diagnosis", _in_group(shard, group))


def _in_group(shard: Shard, group: str) -> Bools:
    return shard.shared.of_conditions(group, lambda code, label: int(in_group(group, code, label))) > 0


def _flagged(shard: Shard, *answers: str) -> Bools:
    """Whose learning disability or autism is recorded with one of some answers."""
    patients = shard.shared.records.columns("patients")
    codes = [THREE_WAY.index(answer) for answer in answers]
    flags = (patients[name][shard.places] for name in ("learning_disability", "autism"))
    found: Bools = np.logical_or.reduce([flag == code for flag in flags for code in codes])
    return found


def _need_in_doubt(shard: Shard) -> Bools:
    groups = _diagnosed(shard, "dementia") | _diagnosed(shard, "learning disability")
    return groups | _flagged(shard, "confirmed")


def _two_without_clozapine(shard: Shard) -> Bools:
    """Schizophrenia recorded, two different regular antipsychotics, and clozapine never."""
    columns = shard.courses
    who, own = columns.number(course.WHO), _regular(shard) & _ANTIPSYCHOTIC[columns.medicine]
    pairs = np.unique(who[own] * len(_BASE) + _BASE[columns.medicine[own]]) // len(_BASE)
    several = np.bincount(pairs, minlength=len(shard)) >= 2
    clozapine = shard.any_of(who[_CLOZAPINE[columns.medicine]])
    return several & ~clozapine & _diagnosed(shard, "schizophrenia")


_LIMITED_INJECTION = medicines(doses.is_limited_injection)
_LEAST_KIDNEY = NumberRanges(NumberRange("egfr", high=doses.injections_limited_below()))
_SHORT_INJECTION = medicines(lambda medicine: medicine.name in INJECTION_COURSES)


def _dose_in_doubt(shard: Shard) -> Bools:
    """Who takes more of a medicine by mouth than the lowest of its maxima, or has an injection that a kidney function
    may rule out or whose course has limits."""
    limited = _held(shard, _LIMITED_INJECTION) & _LEAST_KIDNEY.hold_newest(shard)
    return _above_least_maximum(shard) | limited | _held(shard, _SHORT_INJECTION)


def _above_least_maximum(shard: Shard) -> Bools:
    """Who takes more of a medicine by mouth than the lowest of its maxima."""
    columns = shard.courses
    current = columns.number(course.END) >= shard.as_of - CURRENT_GRACE_DAYS
    current &= columns.number(course.DOSE_DAY) >= columns.number(course.START)
    taken = np.flatnonzero(current & ~_INJECTION[columns.medicine] & ~np.isnan(columns.dose))
    if not len(taken):
        return np.zeros(len(shard), bool)
    medicine = columns.medicine[taken]
    keys, at, group = np.unique(
        columns.number(course.WHO)[taken] * len(_BASE) + _BASE[medicine], return_index=True, return_inverse=True
    )
    above = np.bincount(group.reshape(-1), columns.dose[taken]) > _LEAST_MAXIMUM[medicine[at]]
    return shard.any_of(keys[above] // len(_BASE))


def _conflicting(shard: Shard) -> Bools:
    """Whose recorded allergies name a medicine that we know."""
    named = shard.shared.of_conditions("allergy", lambda code, label: int(bool(medicines_of_allergy(code, label))))
    return shard.recorded("allergy", named > 0)


def _allergy_not_confirmed(shard: Shard) -> Bools:
    days = shard.shared.records.columns("conditions")["recorded_on"]
    return ~shard.recorded("allergy", days >= shard.as_of - YEAR)


def _past_grace(shard: Shard) -> Bools:
    checks = shard.due_columns
    return shard.any_of(checks.who[checks.past_grace])


def _smoking_lately(shard: Shard) -> Bools:
    since = shard.as_of - changes.SMOKING_DAYS
    return _recorded(shard, "smoking", lambda kind, _: kind == "smoking", since)


def _missed_pattern(shard: Shard) -> Bools:
    """Who missed the last two contacts that were offered, or half of several."""
    who, missed = shard.offered_since(shard.as_of - contact.MISSED_WINDOW)
    offered, gone = (np.bincount(some, minlength=len(shard)) for some in (who, who[missed]))
    often = (offered >= contact.MISSED_OFFERED) & (gone >= contact.MISSED_SHARE * offered)
    last = np.cumsum(offered)[offered >= 2] - 1
    twice = shard.any_of(who[last[missed[last] & missed[last - 1]]])
    return often | twice


def _in_crisis(shard: Shard) -> Bools:
    since = shard.as_of - contact.CRISIS_DAYS
    safety = shard.stayed(lambda stay: stay.ward == "place_of_safety" and stay.admitted >= since)
    return shard.contact_since(since, contact.CRISIS_KINDS) | safety


def _not_seen(shard: Shard) -> Bools:
    found: Bools = shard.last_seen_on <= shard.as_of - contact.SILENT_DAYS
    return found & ~shard.referrals_closed


def _not_reviewed(shard: Shard) -> Bools:
    """Without an attended medicines review in the last year; or with a stay, after which one is due."""
    return ~shard.attended_since(shard.as_of - YEAR, "medicines_review") | shard.stayed(lambda _: True)


def _supplied_much(shard: Shard) -> Bools:
    much = shard.shared.much_supplied(shard.as_of, stock.WINDOW_DAYS, stock.SPARE_DAYS)
    return np.array([place in much for place in shard.places.tolist()], bool)


def _began_lately(shard: Shard) -> Bools:
    """Who takes two medicines or more, or took one within the longest washout, one of them begun lately: only then
    can a pair be new."""
    columns = shard.courses
    end = columns.number(course.END)
    now = end >= shard.as_of - CURRENT_GRACE_DAYS
    near = end >= shard.as_of - NEW_PAIR_DAYS - interactions.LONGEST_WASHOUT_DAYS
    who = columns.number(course.WHO)
    new = now & (columns.number(course.START) >= shard.as_of - NEW_PAIR_DAYS)
    return (np.bincount(who[near], minlength=len(shard)) > 1) & shard.any_of(who[new])


_ORGAN_CHECKS = tuple(("lithium", test) for test in lithium.ORGANS)


def _unsettled(shard: Shard) -> Bools:
    """Whose housing is recorded as not settled, or whose carer was recorded over a year ago."""
    since = shard.as_of - support.CARER_CONTACT_DAYS
    carer = _recorded(shard, "carer", lambda kind, value: kind == "carer" and support.is_carer(value), before=since)
    housing = _recorded(shard, "housing", lambda kind, value: kind == "housing" and value in support.UNSETTLED)
    return housing | (carer & ~shard.spoken_with_carer)


def _recorded(
    shard: Shard, name: str, means: Callable[[str, str], bool], since: int = course.NEVER, before: int = NO_DAY
) -> Bools:
    """Who has a circumstance of some kind and value (``name`` stands for it) from ``since`` to before ``before``."""
    rows = shard.circumstances.rows
    days = shard.shared.records.columns("circumstances")["from_on"][rows]
    own = shard.shared.of_circumstances(name, lambda kind, value: int(means(kind, value)))[rows] > 0
    return shard.any_of(shard.circumstances.who[own & (days >= since) & (days < before)])


def _stated_need(shard: Shard) -> Bools:
    return _recorded(shard, "needs", contact.states_need) | _flagged(shard, "confirmed", "suspected")


NEEDS: Mapping[Rule, Need] = {
    clozapine.blood_count: Need(ever=_clozapine, or_due=(("clozapine", "fbc"),)),
    clozapine.treatment_break: Need(ever=_clozapine),
    clozapine_results.red_or_amber: Need(ever=_clozapine),
    clozapine_levels.level_or_change: Need(current=_clozapine),
    clozapine_levels.bowel: Need(current=_clozapine),
    lithium.level_due: Need(ever=_lithium, or_due=(("lithium", "lithium_level"),)),
    lithium.level_abnormal: Need(current=_lithium, tests=frozenset(("lithium_level",))),
    lithium.organs: Need(ever=_lithium, or_due=_ORGAN_CHECKS),
    depot.depot: Need(ever=_injection),
    depot.around_injection: Need(ever=_needs_steps),
    oral.supply_gap: Need(ever=_runs_out, meets=lambda shard: _ran_out(shard) | _held(shard, _TITRATED)),
    oral.falling: Need(ever=_runs_out, meets=_less_covered),
    changes.regimen_change: Need(regimen=(("starts_28d", 0), ("stops_28d", 0))),
    changes.after_discharge: Need(meets=lambda shard: shard.stayed(lambda _: True)),
    changes.shared_care: Need(regimen=(("shared_prescribing_90d", 0), ("prescriber_changes_180d", 0))),
    changes.smoking_change: Need(meets=_smoking_lately),
    antipsychotics.high_dose: Need(current=_antipsychotic, regimen=(("percent_of_max", 99),)),
    antipsychotics.combination: Need(current=_antipsychotic, regimen=(("antipsychotics_60d", 1),)),
    antipsychotics.resistance: Need(ever=_antipsychotic, meets=_two_without_clozapine),
    untreated.no_antipsychotic: Need(meets=_without_antipsychotic),
    untreated.need: Need(current=_antipsychotic, meets=_need_in_doubt),
    stock.stock: Need(current=_psychotropic, meets=_supplied_much),
    physical.metabolic: Need(current=_antipsychotic, meets=_metabolic),
    physical.cardiovascular: Need(current=_psychotropic, meets=_cardiovascular),
    schedule.overdue: Need(meets=lambda shard: _past_grace(shard) | _held(shard, _CHECKED_AGAIN) | _changed(shard)),
    burdens.side_effects: Need(current=_psychotropic, meets=_SIDE_EFFECTS.hold_newest),
    burdens.anticholinergic: Need(regimen=(("acb_total", burdens.ACB_TOTAL - 1),)),
    burdens.dependence: Need(current=burdens.forms_dependence),
    interactions.new_interaction: Need(meets=_began_lately),
    interactions.standing: Need(regimen=(("interactions", 0),)),
    valproate.documents: Need(current=_valproate),
    pregnancy.harm: Need(current=_harms_in_pregnancy),
    results.dangerous: Need(meets=_DANGEROUS.hold_newest),
    doses.above_maximum: Need(meets=_dose_in_doubt),
    doses.allergy_conflict: Need(meets=_conflicting),
    support.living: Need(current=_psychotropic, meets=_unsettled),
    support.community_order: Need(
        current=_psychotropic, circumstances=lambda kind, _: kind == "community_treatment_order"
    ),
    contact.missed_pattern: Need(meets=_missed_pattern),
    contact.no_contact: Need(meets=_not_seen),
    contact.crisis: Need(meets=_in_crisis),
    contact.unmet_need: Need(meets=_stated_need),
    review.medicines_review: Need(ever=_psychotropic, meets=_not_reviewed),
    review.allergy: Need(meets=_allergy_not_confirmed),
}
