"""Entry points: the command line and everything that touches Prefect. Nothing below `flows/` knows about either."""
