"""The gated recurrent unit: equations, reference, fused sources."""
