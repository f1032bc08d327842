"""The operations, one file per family; an op is one block: forward, rules, docstring."""
