"""The long short-term memory: equations, reference, fused sources."""
