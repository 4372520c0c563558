"""Load generators: a custom kind, and the operator that looks after it."""
