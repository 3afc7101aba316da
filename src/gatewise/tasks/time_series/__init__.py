"""Forecasting: windows of series in, their future out; baselines and honest figures beside the networks."""
