"""Executes a plan, trial by trial."""
