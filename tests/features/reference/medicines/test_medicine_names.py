"""Names of medicines as they are written: brands, salts, short forms, strengths and brackets; and what is never
guessed."""

from __future__ import annotations

import pytest

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
}
NOT_GUESSED = (
    "Paliperidone palmitate",  # which of three
    "Aripiprazole 400mg prolonged-release injection",  # which of two
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
    assert {name: None if (mg := strength_mg_in(name)) != mg else mg for name in told} == told
