"""Evaluation items in texts: what they are made of, and where a text holds one."""
