"""One file per kind of problem: encoder, head, loss, metrics, baselines."""
