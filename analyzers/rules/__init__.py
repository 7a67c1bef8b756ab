"""The rule catalogue: one module a rule, one folder a group, and the mathematics that rules share."""
