"""The fast way to run a whole sequence: pure tensor functions, no modules."""
