"""The loop, checkpoints and the run folder."""
