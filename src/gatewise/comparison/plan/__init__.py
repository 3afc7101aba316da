"""What is compared: cells, settings, seeds."""
