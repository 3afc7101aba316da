"""ONNX: models of whole sequences and of one step, emitted by hand, checked in onnxruntime before they are handed out."""
