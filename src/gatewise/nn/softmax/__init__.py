"""Distributions over large vocabularies: chunked cross-entropy, adaptive softmax."""
