"""From figures to a record and a verdict in plain sentences."""
