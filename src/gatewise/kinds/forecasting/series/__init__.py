"""Series in time: read and checked, split in order of time, scaled on the training part alone."""
