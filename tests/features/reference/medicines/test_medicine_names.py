"""Names of medicines as they are written: brands, salts, short forms, strengths and brackets; and what is never
guessed."""

from __future__ import annotations

import pytest

from features.reference import MEDICINES
from features.reference.medicines.allergies import medicines_of_allergy
from features.reference.medicines.interactions import SEVERITIES, between
from features.reference.medicines.medicine_names import medicine_named, strength_mg_in

UNDERSTOOD = {
    "CLOZARIL 100mg tablets": "clozapine",
    "clozapine 25mg/5ml oral susp": "clozapine",
    "CLOZAPINE  [Zaponex]": "clozapine",
    "clozapine tablets BP 100mg": "clozapine",
    "sod. valproate": "valproate",
    "Sod valproate 500mg m/r tabs": "valproate",
    "valproate sodium": "valproate",
    "Lithium Carb 400mg": "lithium",
    "lithium carbonate (Priadel) 400mg m/r": "lithium",
    "Risperdal Consta 50mg powder and solvent for suspension for injection vials": "risperidone microspheres injection",
    "haloperidol decanoate 50mg/ml": "haloperidol decanoate injection",
    "sertraline HCl 50mg": "sertraline",
    "Flupentixol dihydrochloride": "flupentixol",
    "diclofenac sodium 50mg EC": "diclofenac",
    "quetiapine 25mg nocte": "quetiapine",
    "Olanzapine(zyprexa)": "olanzapine",
    "hyoscine butylbromide 10mg": "hyoscine butylbromide",
    "sodium picosulphate": "sodium picosulfate",
    "solifenacin succinate 5mg": "solifenacin",
    "glycopyrronium bromide": "glycopyrronium",
    "memantine hydrochloride": "memantine",
    "modafinil 100mg": "modafinil",
    "Ozempic 1mg": "semaglutide",
    "Spravato": "esketamine",
    "prucalopride": "prucalopride",
    "zuclopenthixol acetate": "zuclopenthixol acetate injection",
    "Clopixol Acuphase 50mg/1ml solution for injection ampoules": "zuclopenthixol acetate injection",
    # brands of one medicine, and words of a label
    "Biquelle XL 150mg tablets": "quetiapine",
    "Vensir XL 75mg caps": "venlafaxine",
    "Yentreve 40mg": "duloxetine",
    "Librium 5mg": "chlordiazepoxide",
    "Parnate": "tranylcypromine",
    "Syonell 500mg": "valproate",
    "Epilim Chronosphere MR 500mg granules sachets": "valproate",
    "Olanzapine 10mg oro-dispersible tablets SF": "olanzapine",
    "Risperdal Quicklet 2mg": "risperidone",
    "clozapine tabs 100 mg x 28": "clozapine",
    "Zopiclone 7.5mg ON": "zopiclone",
    "Elvanse Adult 50mg": "lisdexamfetamine",
    "Li-Liquid 509mg/5ml oral syrup": "lithium",
    "Lithium citrate tetrahydrate": "lithium",
    # products of several substances of which one matters here
    "Co-codamol 30/500": "codeine",
    "Co-careldopa 25/100": "levodopa",
    "Suboxone 8mg/2mg": "buprenorphine",
    "St John's Wort": "st john's wort",
    # long-acting injections by their words, their salt and their strength
    "Haloperidol depot": "haloperidol decanoate injection",
    "flupentixol depot injection": "flupentixol decanoate injection",
    "Zuclopenthixol dec 200mg/ml": "zuclopenthixol decanoate injection",
    "Depixol Conc. 100mg/1ml": "flupentixol decanoate injection",
    "olanzapine pamoate monohydrate 300mg": "olanzapine embonate injection",
    "Aripiprazole 400mg prolonged-release injection": "aripiprazole 1-monthly injection",
    "Aripiprazole 400mg LAI": "aripiprazole 1-monthly injection",
    "Aripiprazole long-acting injection 960 mg": "aripiprazole 2-monthly injection",
    "Abilify Maintena 400mg": "aripiprazole 1-monthly injection",
    "Abilify Maintena 960mg prolonged-release suspension for injection in pre-filled syringe": (
        "aripiprazole 2-monthly injection"
    ),
    "Risperidone 37.5mg long acting injection": "risperidone microspheres injection",
    "paliperidone palmitate 100mg": "paliperidone palmitate 1-monthly injection",
    "Paliperidone 525mg/2.625ml prolonged-release injection": "paliperidone palmitate 3-monthly injection",
}
NOT_GUESSED = (
    "Paliperidone palmitate",  # which of three
    "Aripiprazole long-acting injection",  # which of two
    "Aripiprazole 9.75mg/1.3ml solution for injection vials",  # short acting
    "Risperidone LAI",
    "Paliperidone 160mg depot",  # no product has this strength
    "Fluphenazine decanoate 25mg/ml",
    "Perphenazine and amitriptyline",  # two that matter
    "Ramipril 5mg / rosuvastatin 10mg",
    "Haloperidol 5mg/ml inj",
    "Olanzapine (Risperdal)",
    "sodium bicarbonate",
    "calcium carbonate",
    "clozapin",
)


@pytest.mark.parametrize(("written", "meant"), UNDERSTOOD.items())
def test_a_name_is_understood_however_it_is_written(written, meant):
    assert medicine_named(written) == meant


@pytest.mark.parametrize("written", NOT_GUESSED)
def test_what_could_be_two_medicines_or_none_is_not_guessed(written):
    assert medicine_named(written) is None


def test_the_strength_of_one_unit():
    told = {"Clozapine 100mg tablets": 100.0, "Epilim Chrono 500": None, "Lithium 1 g": 1000.0, "25mg/5ml": None}
    told |= {"levothyroxine 50 micrograms": 0.05, "co-something 5mg with 10mg": None, "2.5 mg": 2.5}
    told |= {"Sodium valproate 1,000mg": None, "Clozapine 12,5mg": 12.5}  # a thousand, or one
    assert {name: None if (mg := strength_mg_in(name)) != mg else mg for name in told} == told


@pytest.mark.parametrize(
    ("written", "medicine"),
    [
        ("Losartan 50mg / Hydrochlorothiazide 12.5mg tablets", "losartan with hydrochlorothiazide"),
        ("hydrochlorothiazide and losartan potassium", "losartan with hydrochlorothiazide"),
        ("Losartan/HCTZ 50/12.5", "losartan with hydrochlorothiazide"),
        ("Cozaar-Comp 50mg/12.5mg tablets", "losartan with hydrochlorothiazide"),
        ("Perindopril erbumine 4mg / Indapamide 1.25mg", "perindopril with indapamide"),
        ("Ramipril and Felodipine", "ramipril with felodipine"),
        ("amlodipine/valsartan", "amlodipine with valsartan"),
        ("Olmesartan / Amlodipine / Hydrochlorothiazide", "amlodipine with olmesartan, hydrochlorothiazide"),
        ("Entresto 49mg/51mg tablets", "sacubitril with valsartan"),
        ("Co-tenidone 50mg/12.5mg tablets", "co-tenidone"),
        ("Co-amilofruse 5mg/40mg tablets", "furosemide"),
        ("trimethoprim/sulfamethoxazole", "co-trimoxazole"),
        ("Paracetamol 500mg / Codeine 8mg tablets", "codeine"),
        ("Levodopa / Carbidopa", "levodopa"),
        ("Marvelon", "ethinylestradiol with desogestrel"),
        ("Clozapine 100mg tablets Mylan", "clozapine"),
        ("Losartan and rosuvastatin", None),
        ("Clozapine / Losartan", None),
    ],
)
def test_a_combined_product_is_known_by_its_parts_in_any_order(written, medicine):
    assert medicine_named(written) == medicine


@pytest.mark.parametrize("name", [one.name for one in MEDICINES.values() if one.parts])
def test_a_combined_product_interacts_as_each_of_its_parts_does(name):
    for part in MEDICINES[name].parts:
        for other in ("lithium", "clozapine", "valproate", "phenelzine", "sertraline", "diazepam"):
            row, whole = between(part, other), between(name, other)
            assert row is None or (whole and SEVERITIES.index(whole.severity) >= SEVERITIES.index(row.severity))
        assert name in medicines_of_allergy("", part)
