"""Its presence puts this folder on the path, so that tests of every area can share the helpers in it."""

# Imported by the fault tests alone: looking for doctests in it would register its cells for every test.
collect_ignore = ["comparison/faulty.py"]
