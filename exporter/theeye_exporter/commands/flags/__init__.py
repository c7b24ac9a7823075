"""The flags of each command: one module per command, without the imports that only running the command needs."""
