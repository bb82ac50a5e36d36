"""Providers of texts: nobody, GOV.UK Notify and NHS Notify behind one protocol."""
