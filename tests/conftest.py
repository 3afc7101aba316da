"""Its presence puts this folder on the path, so that tests of every area can share the helpers in it."""
