"""The operations, one file per family. Each op is one block: forward, derivative rules, docstring."""
