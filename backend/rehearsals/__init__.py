"""Rehearsals: what would happen, done to a cloud of its own, and judged by what was expected.

scenario   the file: what happens when, and what is expected at the end
running    doing it, at once or while somebody watches
story      what became of the cloud, told from its events
report     that as JSON and as lines, and whether it is as expected
"""
