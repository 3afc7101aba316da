"""Sequence tagging: a label for every word (named entities, parts of speech)."""
