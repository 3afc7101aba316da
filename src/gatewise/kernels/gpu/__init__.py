"""Recurrent layers on a GPU: what cuDNN lacks, in Triton.

The product of the whole input is one matrix product; after that a step is one product of the state with the recurrent
weights, by torch (cuBLAS), and one Triton kernel for everything else: gates, normalisation, masks, ends of rows.
Backwards it is the same, and the weights' gradient is one product over all steps. Cells whose gates see the input only
are a scan instead: one kernel for all steps.

Nothing here imports triton before a kernel is about to run.
"""
