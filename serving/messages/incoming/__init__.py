"""Handles incoming replies: stores and reads them, then sends alerts and automatic answers, and resumes after a
crash.
"""
