"""Comparisons on several data sets, taken together."""
