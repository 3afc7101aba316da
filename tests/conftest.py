"""Its presence puts this folder on the path, so that tests of every area can share the helpers in it."""

import os

# Imported by the fault tests alone: looking for doctests in it would register its cells for every test.
collect_ignore = ["comparison/faulty.py"]

# The width of the terminal that tests are started from would break the lines that they look for.
os.environ.pop("COLUMNS", None)
