"""Kinds of problem: one folder each."""
