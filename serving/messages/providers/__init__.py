"""Providers of texts: none, GOV.UK Notify and NHS Notify, behind one protocol."""
