import sys
from pathlib import Path

# The made-up comparison is shared with the tests of comparisons.
sys.path.insert(0, str(Path(__file__).parents[1] / "comparison"))
