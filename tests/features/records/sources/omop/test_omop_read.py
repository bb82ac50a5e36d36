"""What a small OMOP extract becomes, table by table."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import Records, build
from features.records import RecordsError
from features.records.sources.omop import OmopExtract, read
from features.records.sources.omop.mappings import load_mappings
from features.records.tables import TABLES
from features.reference import TESTS
from tests.features.records.sources.omop.conftest import small_extract, write


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> OmopExtract:
    """The small extract as it was read; no test changes it."""
    return read(write(tmp_path_factory.mktemp("omop") / "small", small_extract()))


def test_everyone_is_in_patients_even_where_nothing_else_is_known(extract: OmopExtract) -> None:
    people = extract.frames["patients"].set_index("patient_id")
    assert list(people.index) == ["1", "2", "3", "4"]
    assert people.loc["1", ["birth_date", "sex", "ethnicity"]].tolist() == ["1980-05-17", "female", "White"]
    assert people["birth_date"].tolist() == ["1980-05-17", "1970-07-01", "1950-02-15", "1990-01-01"]
    assert people["died_on"].dropna().to_dict() == {"3": "2023-06-02"}
    assert people["sex"].isna().tolist() == [False, False, False, True]
    assert people["learning_disability"].dropna().to_dict() == {"2": "confirmed"}
    assert extract.counts == {
        "people": 4,
        "people_without_visits": 1,
        "people_without_observation_period": 1,
        "referrals_open_at_end": 1,
    }


def test_an_observation_period_is_a_referral_to_the_most_visited_care_site(extract: OmopExtract) -> None:
    referrals = extract.frames["referrals"].set_index("patient_id")
    assert referrals["team_id"].to_dict() == {"1": "care_site_7", "2": "no_care_site", "3": "no_care_site"}
    assert referrals["opened_on"].unique().tolist() == ["2022-01-01"]
    # The extract's last known day is 2023-12-31; 2023-12-20 is within 31 days of it.
    assert referrals["closed_on"].dropna().to_dict() == {"2": "2023-03-01", "3": "2023-06-02"}
    assert referrals["close_reason"].dropna().to_dict() == {"3": "died"}
    teams = extract.frames["teams"]
    assert teams.to_dict("list") == {
        "team_id": ["care_site_7", "no_care_site"],
        "name": ["North team", "No care site"],
        "kind": ["care_site", "care_site"],
    }


def test_mapping_tables_decide_how_near_the_end_counts_as_open(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "maps"
    own.mkdir()
    (own / "observation_periods.csv").write_text("concept_id,open_within_days\n,0\n")
    extract = read(small, mappings=own)
    assert extract.counts["referrals_open_at_end"] == 0
    assert any("observation_periods" in note for note in extract.notes)


def test_nobody_who_died_is_still_open(changed) -> None:
    extract = read(changed(death=[{"person_id": 1, "death_date": "2023-12-20"}]))
    referral = extract.frames["referrals"].set_index("patient_id").loc["1"]
    assert (referral["closed_on"], referral["close_reason"]) == ("2023-12-20", "died")
    assert extract.counts["referrals_open_at_end"] == 0


def test_visits_become_contacts_and_stays(extract: OmopExtract) -> None:
    contacts = extract.frames["contacts"].set_index("contact_id")
    columns = ["patient_id", "team_id", "contact_on", "mode", "kind", "outcome"]
    assert contacts.loc["visit_1", columns].tolist() == [
        "1",
        "care_site_7",
        "2023-01-10",
        "face_to_face",
        "routine",
        "attended",
    ]
    assert contacts.loc["visit_3", ["mode", "kind"]].tolist() == ["face_to_face", "crisis"]
    assert pd.isna(contacts.loc["visit_3", "team_id"])
    # No matching concept: something took place, but it is not an attended contact of docs/clinical.md section 2.1.
    assert contacts.loc["visit_5", ["mode", "kind"]].tolist() == ["other", "other"]
    stays = extract.frames["stays"]
    assert stays.iloc[0].to_dict() == {
        "patient_id": "1",
        "admitted_on": "2023-02-01",
        "discharged_on": "2023-02-20",
        "method": "unknown",
        "ward": "unknown",
        "legal_status": "unknown",
    }


def test_drug_products_reach_medicines_through_tables(extract: OmopExtract) -> None:
    supplies = extract.frames["supplies"]
    found = supplies[["medicine", "route", "kind", "supplied_on"]].to_numpy().tolist()
    assert found[:3] == [
        ["lithium", "oral", "prescribed", "2023-01-10"],
        ["paliperidone palmitate 1-monthly injection", "long_acting_injection", "prescribed", "2023-02-10"],
        ["amitriptyline", "oral", "prescribed", "2023-02-11"],
    ]
    assert supplies["days_supplied"].tolist()[0] == "28"
    assert supplies["daily_dose_mg"].tolist()[0] == pytest.approx(800)
    assert supplies["days_supplied"].isna().tolist()[1:3] == [True, True]
    # Neither a name that sounds like it, nor eye drops, nor a code that the extract's own vocabulary gives another
    # name.
    assert not {"2023-02-12", "2023-02-14", "2023-02-15"} & set(supplies["supplied_on"])
    assert any("sulpiride" in note for note in extract.notes)


def test_the_source_concept_is_used_where_the_standard_concept_is_0(changed) -> None:
    exposure = {
        "drug_exposure_id": 1,
        "person_id": 1,
        "drug_concept_id": 0,
        "drug_source_concept_id": 501,
        "drug_exposure_start_date": "2023-01-10",
    }
    assert read(changed(drug_exposure=[exposure])).frames["supplies"]["medicine"].tolist() == ["lithium"]


def test_a_product_needs_no_ancestors_where_the_products_table_has_it(changed) -> None:
    exposure = {
        "drug_exposure_id": 1,
        "person_id": 1,
        "drug_concept_id": 751247,
        "drug_exposure_start_date": "2023-01-10",
        "quantity": "60.0",
        "days_supply": 30,
    }
    extract = read(changed(drug_exposure=[exposure], concept_ancestor=None, drug_strength=None))
    supply = extract.frames["supplies"].iloc[0]
    assert (supply["medicine"], supply["route"], supply["daily_dose_mg"]) == ("lithium", "oral", 600)


def test_measurements_become_results_and_a_number_needs_a_unit(extract: OmopExtract) -> None:
    results = extract.frames["results"]
    table = [
        (row.test, row.taken_on, None if pd.isna(row.value) else row.value, None if pd.isna(row.unit) else row.unit)
        for row in results.itertuples()
    ]
    assert table == [
        ("lithium_level", "2023-01-12", "0.7", "mmol/L"),
        ("hba1c", "2023-01-12", "7.0", "%"),
        ("u_and_e", "2023-01-12", None, None),
        ("lft", "2023-01-12", None, None),
        ("calcium", "2023-01-12", None, None),
        ("lithium_level", "2023-02-12", None, None),
        ("lithium_level", "2023-03-12", "55", "mmol/L"),
        ("lithium_level", "2023-02-12", "0.8", None),  # set aside, and kept with the person
        ("smoking_status", "2023-02-12", None, None),
    ]
    assert any("1 results have a number without a unit" in note for note in extract.notes)


def test_conditions_come_from_codes_their_parents_and_their_ancestors(extract: OmopExtract) -> None:
    conditions = extract.frames["conditions"]
    assert conditions[["system", "code", "label"]].to_numpy().tolist() == [
        ["SNOMED", "1", "schizophrenia"],
        ["ICD10CM", "F72", "learning disability"],
        ["ICD9CM", "296.33", "depression"],
    ]


def test_the_frames_are_records(extract: OmopExtract) -> None:
    records = Records.from_frames(extract.frames, about=extract.about)
    assert len(records["patients"]) == 4
    assert records["results"].loc[records["results"]["test"] == "hba1c", "value"].tolist() == [
        pytest.approx(53.0, abs=0.2)
    ]
    assert not set(extract.frames) - set(TABLES)
    assert not any(report.unknown_columns for report in records.report.tables.values())
    assert all(frame.get("known_on") is None for frame in extract.frames.values()), "OMOP has no second clock"


def test_unmapped_concepts_are_listed_with_name_domain_and_rows(extract: OmopExtract) -> None:
    listed = {
        (row.omop_table, row.concept_id): (row.name, row.domain, row.rows)
        for row in extract.unmapped.itertuples(index=False)
    }
    assert listed[("measurement", "704")] == ("Shoe size", "Measurement", 1)
    assert listed[("drug_exposure", "504")] == ("lithium-flavoured toothpaste", "Drug", 1)
    assert listed[("condition_occurrence", "604")] == ("Ingrowing nail", "Condition", 1)
    assert listed[("person (race_concept_id)", "777")] == ("", "", 1)
    assert ("measurement", "701") not in listed


def as_upper(folder: Path, out: Path) -> Path:
    out.mkdir()
    for file in folder.glob("*.csv"):
        header, rest = file.read_text().split("\n", 1)
        (out / file.name.upper()).write_text(header.upper() + "\n" + rest)
    return out


def as_parquet(folder: Path, out: Path) -> Path:
    """Numbers as numbers and dates as dates, as a database would export them; ids become floats where a value is
    missing."""
    out.mkdir()
    for file in folder.glob("*.csv"):
        frame = pd.read_csv(file, dtype={"concept_code": str})
        for column in frame:
            parsed = (
                pd.to_datetime(frame[column], errors="coerce", format="%Y-%m-%d") if column.endswith("_date") else None
            )
            if parsed is not None and parsed.notna().all():
                frame[column] = parsed
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out / f"{file.stem}.parquet")
    return out


def as_tabs(folder: Path, out: Path) -> Path:
    out.mkdir()
    for file in folder.glob("*.csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        lines = ["\t".join(frame.columns), *("\t".join(row) for row in frame.to_numpy().tolist())]
        (out / file.name).write_text("\n".join(lines) + "\n")
    return out


def as_gzip(folder: Path, out: Path) -> Path:
    out.mkdir()
    for file in folder.glob("*.csv"):
        (out / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    return out


@pytest.mark.parametrize("form", [as_upper, as_parquet, as_tabs, as_gzip])
def test_the_same_extract_in_another_form_reads_the_same(
    form, small: Path, tmp_path: Path, extract: OmopExtract
) -> None:
    other = read(form(small, tmp_path / "other"))
    pd.testing.assert_frame_equal(other.accounting, extract.accounting)
    pd.testing.assert_frame_equal(other.unmapped, extract.unmapped)
    assert Records.from_frames(other.frames).data_hash == Records.from_frames(extract.frames).data_hash


def test_columns_of_cdm_5_2_and_5_4_both_read(small: Path, extract: OmopExtract) -> None:
    file = small / "visit_occurrence.csv"
    file.write_text(file.read_text().replace("admitted_from_concept_id", "admitting_source_concept_id"))
    pd.testing.assert_frame_equal(read(small).frames["contacts"], extract.frames["contacts"])


def test_a_missing_person_table_says_which_file_where_and_what_to_do(changed) -> None:
    with pytest.raises(RecordsError) as error:
        read(changed(person=None))
    assert "no person table among" in str(error.value)
    assert "person.csv or person.parquet directly in" in str(error.value)
    assert "Do: add it" in str(error.value)


def test_a_folder_that_is_not_there_a_table_twice_and_a_missing_column_are_errors(small: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="is not a folder"):
        read(tmp_path / "nowhere")
    (small / "PERSON.CSV").write_text("person_id\n1\n")
    with pytest.raises(RecordsError, match="remove the one that is out of date"):
        read(small)
    (small / "PERSON.CSV").unlink()
    (small / "measurement.csv").write_text("measurement_id,person_id\n1,1\n")
    with pytest.raises(RecordsError, match="has no column measurement_concept_id, measurement_date"):
        read(small)


def test_missing_optional_tables_are_reported_and_people_stay(changed) -> None:
    names = (
        "death",
        "observation_period",
        "care_site",
        "visit_occurrence",
        "drug_exposure",
        "measurement",
        "observation",
    )
    extract = read(
        changed(**dict.fromkeys((*names, "condition_occurrence", "concept", "concept_ancestor", "drug_strength")))
    )
    assert set(extract.missing) == {*names, "condition_occurrence", "concept"}
    assert len(Records.from_frames(extract.frames)["patients"]) == 4
    assert sorted(extract.accounting["omop_table"].unique()) == ["person", "procedure_occurrence"]


def test_one_mistyped_year_does_not_change_the_last_day_of_the_extract(changed) -> None:
    future = {"measurement_id": 1, "person_id": 1, "measurement_concept_id": 701, "measurement_date": "2923-01-01"}
    extract = read(changed(measurement=[future]))
    assert extract.last_day == pd.Timestamp("2023-12-31")
    assert extract.counts["referrals_open_at_end"] == 1


def test_mapping_tables_name_tests_that_exist_and_are_refused_where_they_are_wrong(tmp_path: Path) -> None:
    assert {row["test"] for row in load_mappings()["tests"]} <= set(TESTS)
    units = [
        (row["unit"], [t for t in TESTS.values() if t.conversion(row["unit"])]) for row in load_mappings()["units"]
    ]
    assert not [unit for unit, tests in units if not tests]
    (tmp_path / "visits.csv").write_text("concept_id,table,mode,kind,method,ward\n9202,contacts,by_pigeon,routine,,\n")
    (tmp_path / "vists.csv").write_text("concept_id\n1\n")
    with pytest.raises(RecordsError) as error:
        load_mappings(tmp_path)
    assert "mode of row 1 is not allowed" in str(error.value)
    assert "unknown files vists.csv" in str(error.value)


def test_a_quantity_below_0_reverses_the_supply_and_quantity_alone_is_kept(changed) -> None:
    drug = {"person_id": 1, "drug_concept_id": 501, "drug_exposure_start_date": "2023-01-10"}
    given = [
        drug | {"drug_exposure_id": 1, "quantity": 56, "days_supply": 28},
        drug | {"drug_exposure_id": 2, "quantity": -56, "days_supply": -28},
        drug | {"drug_exposure_id": 3, "quantity": 84, "drug_exposure_start_date": "2023-03-10"},
    ]
    supplies = read(changed(drug_exposure=given)).frames["supplies"]
    told = supplies[["days_supplied", "quantity", "status"]].astype("object").where(supplies.notna(), None)
    assert told.to_numpy().tolist() == [["28", 56.0, None], ["28.0", -56.0, "reversed"], [None, 84.0, None]]
    assert supplies["daily_dose_mg"].tolist()[:2] == [800.0, 800.0]


def test_part_of_a_dispensing_that_came_back_shortens_it(changed) -> None:
    drug = {"person_id": 1, "drug_concept_id": 501, "drug_exposure_start_date": "2023-01-10"}
    given = [
        drug | {"drug_exposure_id": 1, "quantity": 56, "days_supply": 28},
        drug | {"drug_exposure_id": 2, "quantity": -28, "drug_exposure_start_date": "2023-01-12"},
    ]
    supplies = Records.from_frames(read(changed(drug_exposure=given)).frames)["supplies"]
    assert supplies[["days_supplied", "quantity"]].to_numpy().tolist() == [[28, 56], [14, 28], [28, 56]]
    assert supplies["status"].tolist()[2] == "reversed"


@pytest.mark.parametrize(
    ("stopped", "lengths"),
    [
        ({"stop_reason": "rash", "drug_exposure_end_date": "2023-01-17"}, [28, 8, 28]),
        ({"stop_reason": "", "drug_exposure_end_date": "2023-01-17"}, [28]),
        ({"stop_reason": "course complete", "drug_exposure_end_date": "2023-02-06"}, [28]),
        ({"stop_reason": "rash", "drug_exposure_end_date": ""}, [28]),
        ({"stop_reason": "rash", "drug_exposure_end_date": "2023-01-01"}, [28]),
    ],
)
def test_an_exposure_that_was_stopped_lasts_until_then(changed, stopped, lengths) -> None:
    drug = {"person_id": 1, "drug_concept_id": 501, "drug_exposure_start_date": "2023-01-10"}
    records = Records.from_frames(
        read(
            changed(drug_exposure=[drug | {"drug_exposure_id": 1, "quantity": 56, "days_supply": 28} | stopped])
        ).frames
    )
    assert records["supplies"]["days_supplied"].tolist() == lengths


def test_a_stopped_exposure_counts_from_the_day_it_became_known(changed) -> None:
    drug = {"person_id": 1, "drug_concept_id": 501, "drug_exposure_start_date": "2023-01-10", "days_supply": 28}
    stopped = drug | {"drug_exposure_id": 1, "stop_reason": "rash", "drug_exposure_end_date": "2023-01-17"}
    records = Records.from_frames(read(changed(drug_exposure=[stopped])).frames)
    days = pd.DataFrame({"patient_id": "1", "as_of": pd.to_datetime(["2023-01-20", "2023-01-21"])})
    assert build(records, days, ["lithium_supply_left_days"]).values[:, 0].tolist() == [18, 0]
