"""A long life under a steady load, in which nothing may grow: memory, handles, logs, tables, latencies.

judging     whether a series is flat; pure
backend     a backend with small page caches
watching    what a process holds, and what its files do
living      the backend, the console and the clients, and what they do to each other
soaking     the whole run, and what may grow by how much

`python -m tests.soak --minutes M` is the whole of it.
"""
