"""A run on a Dask or Ray cluster: what workers do (`site`, `tasks`), and how work reaches them (`open`, `engine`, `on_dask`,
`on_ray`).

Invariant: a worker gives the bytes that the driver would give, or refuses to work: it proves that it has the driver's code,
models, libraries and architecture, and that it sees the work directory of this very run. Only paths and small results cross;
what exists under its key is done, so a task may run twice, or be lost, and nothing is.
"""
