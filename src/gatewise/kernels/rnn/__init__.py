"""The plain recurrent cell: equations, reference, fused sources."""
