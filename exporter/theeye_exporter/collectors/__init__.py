"""Collectors: TheEye's objects in, samples out; one module per kind of object."""
