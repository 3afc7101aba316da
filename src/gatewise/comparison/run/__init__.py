"""Carries a plan out, trial by trial."""
