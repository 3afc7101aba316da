"""What a trained model computes, as plain nodes: stated once by each kind, read by every target.

- `nodes`: what there is: inputs, recurrent stacks, pooling, tags ...; each said for one example, shapes explicit;
- `expressions`: elementwise operations and products, at each step and inside a cell's step;
- `graph`: the graph and the builder by which a kind states it;
- `interpreter`: evaluates a graph in NumPy, the oracle of every target;
- `stream`: which graphs can run step by step, and their interpreter;
- `layers` and `capture` (these two import torch): layers of `gatewise.nn`, any cell through its one step.
"""

from gatewise.export.graph.expressions import OPERATIONS, Expression, Program
from gatewise.export.graph.graph import Example, Graph, GraphBuilder, spread
from gatewise.export.graph.interpreter import Interpreter

__all__ = ["OPERATIONS", "Example", "Expression", "Graph", "GraphBuilder", "Interpreter", "Program", "spread"]
