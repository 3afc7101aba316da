"""The compiled kernels, as differentiable PyTorch operations."""
