"""The worklist: ranked, stable, complete, safety gaps always shown, the capacity line in the right place."""

from __future__ import annotations

import datetime as dt

import pytest

from serving.nightly.run import score_store
from serving.security.tokens import issue_token
from serving.wording import about_in_100, in_100, without_row_ids


def listed(client, as_role, team="north", **query):
    answer = client.get(f"/v1/teams/{team}/worklist", params=query, headers=as_role("everywhere"))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_by_risk_then_by_person(client, as_role):
    found = listed(client, as_role)
    assert (found["outcome"], found["horizon_days"], found["ranking"]) == ("admission", 90, "risk")
    assert found["published_order"] and found["rules"]["ranking"] == "risk"
    # One of the three slots is for the longest unseen: nobody ever saw N01.
    assert [entry["slot"] for entry in found["items"]] == ["order", "order", "longest_unseen"] + [None] * 5
    assert found["items"][2]["patient_id"] == "N01"
    rest = [entry for entry in found["items"] if entry["patient_id"] != "N01" and not entry["in_critical_band"]]
    keys = [(-entry["probability"], entry["patient_id"]) for entry in rest]
    assert keys == sorted(keys)
    assert [entry["position"] for entry in found["items"]] == list(range(1, 9))
    other = listed(client, as_role, outcome="disengagement", horizon=90)
    assert not other["published_order"]
    keys = [(-e["probability"], e["patient_id"]) for e in other["items"] if not e["in_critical_band"]]
    assert keys == sorted(keys)


def test_everybody_with_a_critical_gap_stands_within_the_capacity_or_right_after_it(client, as_role, world):
    for query in ({}, {"outcome": "disengagement", "horizon": 90}):
        items = listed(client, as_role, **query)["items"]
        band = [entry["patient_id"] for entry in items if entry["in_critical_band"]]
        critical = [
            e["patient_id"] for e in items if any(g["severity"] == "critical" and g["safety"] for g in e["gaps"])
        ]
        assert band == [p for p in critical if p not in [e["patient_id"] for e in items[: world.NORTH_CAPACITY]]]
        assert [e["patient_id"] for e in items[world.NORTH_CAPACITY :]][: len(band)] == band
    assert critical, "somebody has a critical gap"


def test_blended_gives_risk_and_certain_gaps_every_other_place(client, as_role):
    def order(ranking):
        # Another horizon than the published list's, so that no slot is given and the order stands alone.
        return [e["patient_id"] for e in listed(client, as_role, ranking=ranking, horizon=180)["items"]]

    risk, gaps, blended = (order(ranking) for ranking in ("risk", "gaps", "blended"))
    turns = [person for pair in zip(risk, gaps, strict=True) for person in pair]
    assert set(blended[:2]) == {risk[0], gaps[0]} or risk[0] == gaps[0] == blended[0]
    for place, person in enumerate(blended):
        assert turns.index(person) <= 2 * place + 1


def test_equal_risk_shares_a_rank(client, as_role):
    entries = listed(client, as_role)["items"]
    for entry in entries:
        sharing = [other for other in entries if other["probability"] == entry["probability"]]
        assert entry["tied"] == (len(sharing) > 1)
        assert entry["rank"] == 1 + sum(other["probability"] > entry["probability"] for other in entries)


def test_nobody_is_dropped_over_pages(client, as_role):
    pages = [listed(client, as_role, limit=3, offset=offset) for offset in (0, 3, 6)]
    people = [entry["patient_id"] for page in pages for entry in page["items"]]
    assert sorted(people) == [f"N{i:02d}" for i in range(8)] and pages[0]["total"] == 8
    assert listed(client, as_role, offset=100)["items"] == []


def test_capacity_draws_a_line(client, as_role, world):
    found = listed(client, as_role)
    assert [entry["within_capacity"] for entry in found["items"]] == [True] * world.NORTH_CAPACITY + [False] * 5
    assert found["below_line"] == 5 - found["in_critical_band"]
    unstated = listed(client, as_role, team="south")
    assert unstated["below_line"] == 0 and unstated["items"][0]["within_capacity"] is None


@pytest.mark.parametrize("query", [{}, {"offset": 7}, {"outcome": "disengagement", "horizon": 180}])
def test_a_safety_gap_is_in_sight_whatever_the_rank_and_page(client, as_role, world, query):
    everybody = listed(client, as_role, **{**query, "offset": 0})["items"]
    with_safety = [entry for entry in everybody if any(gap["safety"] for gap in entry["gaps"])]
    line = world.NORTH_CAPACITY + sum(entry["in_critical_band"] for entry in everybody)
    below = [entry["patient_id"] for entry in with_safety if entry["position"] > line]
    found = listed(client, as_role, **query)
    assert "N00" in [entry["patient_id"] for entry in with_safety]
    assert found["team"]["people_with_safety_gap"] == len(with_safety)
    assert found["safety_below_line"] == len(below)
    assert [entry["patient_id"] for entry in found["first_below_line_with_safety_gap"]] == below[:10]


def test_gaps_first_puts_safety_gaps_on_top_the_worst_first(client, as_role):
    entries = listed(client, as_role, ranking="gaps")["items"]
    severities = ["critical", "high", "medium", "low"]
    worst = [min([severities.index(gap["severity"]) for gap in e["gaps"] if gap["safety"]], default=9) for e in entries]
    assert worst == sorted(worst) and worst[0] == 0
    assert "N00" in [entry["patient_id"] for entry, w in zip(entries, worst, strict=True) if w == 0]


def test_a_person_never_seen_stays_on_the_list(client, as_role):
    silent = next(entry for entry in listed(client, as_role)["items"] if entry["patient_id"] == "N01")
    assert silent["last_seen_on"] is None and silent["missing_sources"] == ["contacts", "supplies", "results"]
    new = next(entry for entry in listed(client, as_role, team="south")["items"] if entry["patient_id"] == "S01")
    assert new["short_history"] and new["history_days"] == 20


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.214, "about 21 in 100"),
        (0.0049, "fewer than 1 in 100"),
        (0.006, "about 1 in 100"),
        (0.998, "more than 99 in 100"),
    ],
)
def test_a_risk_in_words(probability, words):
    assert in_100(probability) == words
    assert about_in_100(probability) == f"{words} people like this"


def test_only_above_the_middle_is_put_in_words():
    assert without_row_ids("th105: NICE CG178; mp001: NICE CG178; SmPC") == "NICE CG178; SmPC"
    assert without_row_ids("docs/clinical.md section 4.6 [R]; docs/clinical.md section 1.1 [D]") == (
        "Upstream's clinical rules, section 4.6: to be checked; "
        "Upstream's clinical rules, section 1.1: decided here, to be confirmed by a pharmacist"
    )
    assert without_row_ids("medicines.csv lithium: acb_score, half_life_hours (unverified); SmPC") == (
        "Upstream's table of medicines: lithium (unverified); SmPC"
    )
    assert without_row_ids("clozapine_schedules.csv uk: monitoring_protocols.csv mp096 to mp098; CPMS page") == (
        "Upstream's own tables; CPMS page"
    )


def test_a_row_says_who_reviewed_last_and_the_risk_in_the_list_a_week_before(home, start, world):
    """The published list is of a week after the first; the review was recorded under it, then corrected."""
    token = issue_token(home, "pharmacist", ["north"], "Ann")
    headers = {"Authorization": f"Bearer {token}"}

    def row(client):
        items = client.get("/v1/teams/north/worklist", headers=headers).json()["items"]
        return next(entry for entry in items if entry["patient_id"] == "N03")

    with start(home) as client:
        first = row(client)
        assert (first["last_review"], first["risk_before"]) == (None, [])
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    review = {"medicines_reconciled": True, "allergies_up_to_date": True, "side_effects_assessed": False}
    with start(home) as client:
        replaces = None
        for key in ("first-key", "second-key"):
            made = client.post(
                "/v1/patients/N03/reviews",
                headers=headers | {"Idempotency-Key": key},
                json=review | {"actions": ["gp_informed"], "replaces": replaces},
            ).json()
            replaces = made["review_id"]
        found = row(client)
    assert found["last_review"]["reviewed_at"][:19] == made["reviewed_at"][:19]
    assert found["last_review"]["reviewer_name"] == "Ann"
    assert found["risk_before"] == [{"as_of": world.AS_OF.isoformat(), "probability": first["probability"]}]


# Filters: cut what is shown, never the places


def test_a_filter_by_gap_keeps_places_and_totals_of_the_whole_list(client, as_role):
    whole = listed(client, as_role)
    code = whole["items"][-1]["gaps"][0]["code"]
    cut = listed(client, as_role, gap=code)
    wanted = [e for e in whole["items"] if code in {gap["code"] for gap in e["gaps"]}]
    assert cut["items"] == wanted and cut["matching"] == len(wanted) > 0
    assert cut["total"] == whole["total"] == whole["matching"]
    assert cut["below_line"] == whole["below_line"] and cut["filters"]["gap"] == code


def test_a_filter_by_reason_finds_those_whose_shown_reasons_raise(client, as_role):
    whole = listed(client, as_role)
    raising = [
        (e["patient_id"], r["concept"]) for e in whole["items"] for r in e["reasons"] if r["direction"] == "raises"
    ]
    concept = raising[0][1]
    found = [e["patient_id"] for e in listed(client, as_role, reason=concept)["items"]]
    assert sorted(found) == sorted(p for p, c in raising if c == concept)


def test_a_filter_by_medicine_finds_those_who_hold_it_now(client, as_role):
    found = listed(client, as_role, medicine="clozapine")
    assert {e["patient_id"] for e in found["items"]} <= {"N00"}
    assert listed(client, as_role, medicine="cloz")["matching"] == 0, "a part of a name is another medicine"
    assert listed(client, as_role, medicine="%")["matching"] == 0, "a wildcard is a character"


def test_filters_by_review(home, start):
    token = issue_token(home, "pharmacist", ["north"], "Priya")
    head = {"Authorization": f"Bearer {token}"}
    body = {"actions": ["not_reached"], "medicines_reconciled": True, "allergies_up_to_date": True}
    body |= {"side_effects_assessed": False}
    with start(home) as client:
        client.post("/v1/patients/N03/reviews", json=body, headers=head | {"Idempotency-Key": "filter-1"})
        found = {
            reviewed: client.get(f"/v1/teams/north/worklist?reviewed={reviewed}", headers=head).json()
            for reviewed in ("", "never", "7", "28", "not-28")
        }
        assert client.get("/v1/teams/north/worklist?reviewed=ever", headers=head).status_code == 422
    people = {name: {e["patient_id"] for e in answer["items"]} for name, answer in found.items()}
    assert people["7"] == people["28"] == {"N03"}
    assert people["never"] == people["not-28"] == people[""] - {"N03"} and len(people[""]) == 8
    assert found[""]["reviews_this_week"] == 1


def test_two_filters_must_both_hold(client, as_role):
    whole = listed(client, as_role)
    code = next(e for e in whole["items"] if e["patient_id"] == "N00")["gaps"][0]["code"]
    assert listed(client, as_role, gap=code, medicine="olanzapine")["matching"] == 0


def test_a_review_frees_the_slot_a_snooze_counts_at_once_and_who_left_has_a_reason(home, start, world):
    """The longest way: reviewed and snoozed on one list, and the next list says who joined, who left and why."""
    headers = {"Authorization": f"Bearer {issue_token(home, 'pharmacist', ['north'], 'Ann')}"}
    until = (dt.date.today() + dt.timedelta(days=60)).isoformat()
    done = {"medicines_reconciled": True, "allergies_up_to_date": True, "side_effects_assessed": True}

    def list_of(client):
        return client.get("/v1/teams/north/worklist", headers=headers).json()

    with start(home) as client:
        first = list_of(client)
        assert first["changes"]["left"] == []
        listed = [entry for entry in first["items"] if entry["within_capacity"]]
        calm = [e for e in listed if not any(g["severity"] == "critical" for g in e["gaps"])]
        away = calm[0]["patient_id"]
        for number, entry in enumerate(listed):
            snooze = {"snooze_until": until} if entry["patient_id"] == away else {}
            answer = client.post(
                f"/v1/patients/{entry['patient_id']}/reviews",
                headers=headers | {"Idempotency-Key": f"review-{number}"},
                json=done | snooze | {"actions": ["gp_informed"]},
            )
            assert answer.status_code == 201
        now = list_of(client)
        last = now["items"][-1]
        assert (last["patient_id"], last["standing"], last["snoozed_until"]) == (away, "snoozed", until)
        assert (now["snoozed"], now["total"]) == (1, first["total"])
    score_store(home / "store", home / "bundles", home, world.AS_OF + dt.timedelta(days=7), threads=1)
    with start(home) as client:
        second = list_of(client)
    was = {entry["patient_id"] for entry in listed}
    left = {found["patient_id"]: found for found in second["changes"]["left"]}
    assert set(left) == was and left[away]["reason"] == "snoozed" and left[away]["on_day"] == until
    assert {left[person]["reason"] for person in was - {away}} <= {"reviewed"}
    assert all(found["still_here"] and found["in_words"] for found in left.values())
    joined = {found["patient_id"] for found in second["changes"]["joined"] if found["as_of"] == second["run"]["as_of"]}
    assert joined == {entry["patient_id"] for entry in second["items"] if entry["within_capacity"]}
    assert joined.isdisjoint(was)
