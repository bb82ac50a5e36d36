"""dm+d: a release as XML, code lists with BNF codes, and what tells a depot from tablets."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from features.records.sources.dmd import Product, load_products
from features.records.sources.dmd.products import of_bnf_code
from features.reference import MEDICINES
from features.reference.medicines.long_acting import strengths

VMP = """<VIRTUAL_MED_PRODUCTS><VMPS>
<VMP><VPID>1</VPID><VPIDPREV>91</VPIDPREV><VTMID>108443001</VTMID><NM>Quetiapine 25mg tablets</NM></VMP>
<VMP><VPID>2</VPID><VTMID>425483000</VTMID><NM>Paliperidone 175mg/0.875ml</NM>
<UDFS>0.875</UDFS><UDFS_UOMCD>258773002</UDFS_UOMCD></VMP>
<VMP><VPID>3</VPID><NM>Something without a VTM</NM></VMP></VMPS>
<VIRTUAL_PRODUCT_INGREDIENT>
<VPI><VPID>1</VPID><ISID>7</ISID><STRNT_NMRTR_VAL>25</STRNT_NMRTR_VAL><STRNT_NMRTR_UOMCD>258684004</STRNT_NMRTR_UOMCD></VPI>
<VPI><VPID>2</VPID><ISID>8</ISID><STRNT_NMRTR_VAL>200</STRNT_NMRTR_VAL><STRNT_NMRTR_UOMCD>258684004</STRNT_NMRTR_UOMCD>
<STRNT_DNMTR_VAL>1</STRNT_DNMTR_VAL><STRNT_DNMTR_UOMCD>258773002</STRNT_DNMTR_UOMCD></VPI></VIRTUAL_PRODUCT_INGREDIENT>
<DRUG_ROUTE><DROUTE><VPID>1</VPID><ROUTECD>26643006</ROUTECD></DROUTE>
<DROUTE><VPID>2</VPID><ROUTECD>78421000</ROUTECD></DROUTE></DRUG_ROUTE></VIRTUAL_MED_PRODUCTS>"""
VTM = "<VTMS><VTM><VTMID>96221003</VTMID><VTMIDPREV>90</VTMIDPREV><NM>Clozapine</NM></VTM></VTMS>"
AMP = "<AMPS><AMP><APID>11</APID><VPID>1</VPID><NM>Brand</NM></AMP></AMPS>"


@pytest.fixture
def release(tmp_path):
    for name, text in (("vmp", VMP), ("vtm", VTM), ("amp", AMP)):
        (tmp_path / f"f_{name}2_1.xml").write_text(text)
    return load_products(tmp_path)


@pytest.mark.parametrize("code", ["1", "11", "91"])
def test_a_product_its_brand_and_its_id_of_before_lead_to_medicine_route_and_strength(release, code):
    assert release.find(code) == Product("quetiapine", "oral", 25.0)


def test_a_depot_product_is_found_by_route_and_mg_in_the_syringe(release):
    assert release.find("2") == Product("paliperidone palmitate 3-monthly injection", "long_acting_injection", 175.0)


def test_a_vtm_is_known_by_its_id_of_before_and_a_product_without_one_is_not_mapped(release):
    assert release.find("90").medicine == "clozapine"
    assert release.find("3") is None


@pytest.mark.parametrize(
    ("route", "dose", "medicine"),
    [
        ("78421000", 400.0, "aripiprazole 1-monthly injection"),
        ("78421000", 960.0, "aripiprazole 2-monthly injection"),
        ("78421000", 9.75, "aripiprazole"),
        (None, 400.0, "aripiprazole"),
        ("26643006", 15.0, "aripiprazole"),
    ],
)
def test_route_and_dose_decide_between_depots_that_share_a_vtm(route, dose, medicine):
    assert load_products().find("406785006", route, dose).medicine == medicine


def test_a_code_list_with_bnf_codes_is_read(tmp_path):
    (tmp_path / "list.csv").write_text("dmd_id,dmd_name,bnf_code\n77,x,0402020AC\n78,y,0101010G0\n")
    products = load_products(tmp_path)
    assert products.find("77").medicine == "olanzapine embonate injection"
    assert products.find("78") is None
    assert products.known_by["code lists with BNF codes"] == 1


def test_the_longest_prefix_of_a_bnf_code_decides():
    assert of_bnf_code("0402020ABAAAFAF").medicine == "paliperidone palmitate 3-monthly injection"
    assert of_bnf_code("0402020ABAAAAAA").medicine == "paliperidone palmitate 1-monthly injection"


def test_every_psychotropic_has_a_vtm_or_is_named_here():
    known = {medicine for medicine, _ in load_products().vtms.values()}
    known |= {one.medicine for several in strengths().values() for one in several}
    missing = {name for name, medicine in MEDICINES.items() if medicine.is_psychotropic} - known
    assert missing == {"daridorexant"}, "a VTM of a release of 2019 cannot hold a medicine of 2023"


def test_a_liquid_has_no_strength_of_a_unit_dose():
    assert math.isnan(load_products().find("96221003").strength_mg)


PART_OF_A_RELEASE = Path(__file__).resolve().parents[5].parent / "shared" / "data" / "dmd"


@pytest.mark.external
@pytest.mark.parametrize(
    ("vtm", "medicine"),
    [("96221003", "clozapine"), ("108441004", "olanzapine"), ("16977003", "lithium"), ("321174005", "zopiclone")],
)
def test_medicines_of_a_part_of_a_real_release(vtm, medicine):
    if not PART_OF_A_RELEASE.exists():
        pytest.skip("the part of a dm+d release is not on this machine (../shared/data/dmd)")
    found = load_products(PART_OF_A_RELEASE).find(vtm)
    assert found is not None and found.medicine == medicine
