"""Rows that tell of one event: one supply, contact, stay or referral, and the earlier versions of it."""
