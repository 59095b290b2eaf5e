"""Pure view-models: what the console knows, turned into lines that carry meaning (a tone), not colour.

Everything here is a function of its arguments: `now` is given, glyphs are given, nothing is asked of a terminal or
a network. Reading order: lines (what a line is), figures (numbers, ages, bars), mirror (what is known), then one
module for each view; header, detail and plan serve all of them.
"""
