"""Builds larger than memory: shards of a store, built locally or on Spark."""
