"""The flags of each command: one module per command, which imports nothing that only running it needs."""
