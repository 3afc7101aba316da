"""ONNX: models of whole sequences and of one step, emitted by hand, checked in onnxruntime before anything is written.

`operations`, `recurrent`, `tags`, `whole` and `stepwise` emit; `model` adds the description; `check` compares; `export`
writes; `runtime` runs what was written, without torch or onnx.
"""
