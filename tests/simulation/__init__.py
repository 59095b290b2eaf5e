"""One seed, whole system: every dialect, the engine, a console that follows, and the faults, on one virtual clock.

    virtual    an event loop in which no time passes by itself, and lanes without threads: nothing is left to chance
    steps      what happens, as values made from a seed, and as sentences
    asking     steps as requests of the six dialects
    world      the cloud that lives through them: its process, its disk, its console, what it was promised
    watch      what must hold after each step
    shrink     a story that goes wrong, made as short as it can be

`python -m tests.simulate --seed N --steps M` tells one story; `tests/test_simulation_whole.py` several.
"""
