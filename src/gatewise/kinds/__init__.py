"""Kinds of problems, a folder each; `gatewise.training.registry` finds them by name."""
