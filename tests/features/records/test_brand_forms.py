"""A brand sold by mouth and as a depot is read by what the row says of it, and never silently as tablets."""

from __future__ import annotations

import pandas as pd
import pytest

from features import Records
from features.records.same_event.supply_rows import injections
from features.reference.medicines.brand_forms import FORM_NOT_RECORDED
from features.reference.medicines.medicine_names import medicine_named
from serving.wording import unread_words
from tests.tables import TODAY

FLU, ZUC, HAL = (f"{name} decanoate injection" for name in ("flupentixol", "zuclopenthixol", "haloperidol"))


def read(medicine, **cells):
    row = {"patient_id": "anna", "medicine": medicine, "supplied_on": "2025-11-01", **cells}
    frames = {"patients": pd.DataFrame({"patient_id": ["anna"]}), "supplies": pd.DataFrame([row])}
    return Records.from_frames(frames, today=TODAY)


@pytest.mark.parametrize(
    ("name", "cells", "medicine"),
    [
        ("Depixol", {"route": "long_acting_injection"}, FLU),
        ("Depixol", {"route": "injection"}, FLU),
        ("Depixol", {"interval_days": "14"}, FLU),
        ("DEPIXOL", {"dose_mg": "40"}, FLU),
        ("Depixol 20mg/ml", {}, FLU),
        ("Depixol 40mg/2ml ampoules", {}, FLU),
        ("Depixol Injection 100 mg/ml", {}, FLU),
        ("Depixol", {"route": "oral"}, "flupentixol"),
        ("Depixol 3mg tablets", {}, "flupentixol"),
        ("Depixol 3mg", {}, "flupentixol"),
        ("Depixol", {"daily_dose_mg": "6"}, "flupentixol"),
        ("Depixol", {"dose_mg": "3", "interval_days": "1"}, "flupentixol"),
        ("Depixol", {"days_supplied": "28"}, None),
        ("Depixol", {"kind": "administered"}, None),
        ("Clopixol", {"interval_days": "7"}, ZUC),
        ("Clopixol 200mg/ml", {}, ZUC),
        ("clopixol", {"strength_mg": "500"}, ZUC),
        ("Clopixol 25mg", {}, "zuclopenthixol"),
        ("Clopixol drops 20mg/ml", {}, "zuclopenthixol"),
        ("Clopixol", {"dose_mg": "100"}, None),  # a test dose of the depot, or a large daily dose
        ("Clopixol", {"route": "injection"}, None),  # Acuphase, or the depot
        ("Clopixol 25mg", {"dose_mg": "300"}, None),  # strength and dose contradict each other
        ("Haldol", {"dose_mg": "100"}, HAL),
        ("Haldol", {"dose_mg": "5"}, "haloperidol"),
        ("Haldol", {}, None),
        ("Haldol Decanoate 50mg/ml", {}, HAL),
        ("Haldol 5mg tablets", {}, "haloperidol"),
    ],
)
def test_a_brand_of_both_forms(name, cells, medicine):
    records = read(name, **cells)
    assert records["supplies"]["medicine"].tolist() == ([] if medicine is None else [medicine])
    told = [one for one in records.unread_of("anna") if one.column == "medicine"]
    if medicine is None:
        assert [(one.value, one.reason) for one in told] == [(name, FORM_NOT_RECORDED)]
        (line,) = unread_words(told)
        assert name in line and "form not recorded" in line
    else:
        assert told == []


ARI, PALI = "aripiprazole", "paliperidone palmitate"
DEPOT = {"route": "long_acting_injection"}


@pytest.mark.parametrize(
    ("name", "cells", "medicine"),
    [
        ("haloperidol", DEPOT, HAL),  # the only one of its substance
        ("Olanzapine", {"route": "depot", "dose_mg": "300"}, "olanzapine embonate injection"),
        ("aripiprazole", {**DEPOT, "dose_mg": "400"}, f"{ARI} 1-monthly injection"),
        ("aripiprazole", {**DEPOT, "dose_mg": "960"}, f"{ARI} 2-monthly injection"),
        ("paliperidone", {**DEPOT, "strength_mg": "525"}, f"{PALI} 3-monthly injection"),
        ("paliperidone", {**DEPOT, "interval_days": "182"}, f"{PALI} 6-monthly injection"),
        ("paliperidone", {"interval_days": "28"}, f"{PALI} 1-monthly injection"),
        ("risperidone", {"route": "im", "dose_mg": "50"}, "risperidone microspheres injection"),
        ("risperidone", {"route": "im", "interval_days": "14"}, "risperidone microspheres injection"),
        ("haloperidol", {"route": "im", "interval_days": "28"}, HAL),
        ("haloperidol", {"route": "im", "dose_mg": "5"}, "haloperidol"),  # short acting
        ("aripiprazole", {"route": "im", "dose_mg": "9.75"}, "aripiprazole"),
        ("paliperidone", {"route": "oral", "dose_mg": "6"}, "paliperidone"),
        ("paliperidone", DEPOT, "paliperidone"),  # nothing says which of three
        ("paliperidone", {**DEPOT, "dose_mg": "150", "strength_mg": "525"}, "paliperidone"),
        ("Abilify Maintena", {"dose_mg": "400"}, f"{ARI} 1-monthly injection"),
        ("Abilify Maintena", {"dose_mg": "960"}, f"{ARI} 2-monthly injection"),
        ("Abilify Maintena", {"interval_days": "56"}, f"{ARI} 2-monthly injection"),
        ("Abilify Maintena", {}, f"{ARI} 1-monthly injection"),
    ],
)
def test_which_long_acting_injection_a_row_is(name, cells, medicine):
    records = read(name, **cells)
    assert records["supplies"]["medicine"].tolist() == [medicine]
    assert not [one for one in records.unread_of("anna") if one.column == "medicine"]


@pytest.mark.parametrize("name", ["Modecate", "Modecate 25mg/ml", "Piportil", "Piportil Depot"])
def test_a_brand_in_no_table_stays_by_name(name):
    records = read(name, interval_days="14")
    assert records["supplies"].empty and [one.value for one in records.unread_of("anna")] == [name]


def test_an_interval_of_a_week_or_more_without_a_route_is_a_long_acting_injection():
    def injected(**cells):
        return injections(read("zuclopenthixol", **cells).columns("supplies")).tolist()

    assert injected(interval_days="14") == [True]
    assert injected(interval_days="14", route="oral") == [False]
    assert injected(interval_days="14", daily_dose_mg="20") == [False]
    assert injected(interval_days="1") == [False]


def test_a_name_that_says_injection_is_never_the_tablets():
    assert medicine_named("Depixol injection 20mg/ml") == FLU
    assert medicine_named("Clopixol depot") == ZUC
    assert medicine_named("Haldol injection 5mg/ml") is None  # short acting


def test_a_store_reads_as_it_was_written(tmp_path):
    read("Depixol", interval_days="14").save(tmp_path)
    assert Records.load(tmp_path, today=TODAY)["supplies"]["medicine"].tolist() == [FLU]
