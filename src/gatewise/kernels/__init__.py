"""The fast way to run a whole sequence: pure tensor functions, no modules.

``dispatch`` chooses an implementation and says why; each cell's folder has its equations (README.md), its step in plain
PyTorch (reference.py), its fused source and what the others have to know of it (info.py), which ``registry`` finds.
"""
