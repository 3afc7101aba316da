"""The minimal LSTM: equations, reference, fused sources."""
