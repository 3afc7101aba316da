"""Plan, execution, statistics and verdict."""
