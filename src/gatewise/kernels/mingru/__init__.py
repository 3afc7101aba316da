"""The minimal GRU: equations, reference, fused sources."""
