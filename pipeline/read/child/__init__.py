"""Decoders that run in a child process, which hostile bytes may kill without harm to the run."""
