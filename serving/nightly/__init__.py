"""The nightly run: records in, published worklists out, whole or not at all."""
