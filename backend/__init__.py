"""The simulated cloud: rings outside, capabilities inside.

    __main__    the process: socket, lock, ready line          folder   the data folder's files that are not databases
    app         wiring only: store + engine + dialects -> one ASGI app
    dialects    one published API a file: parse -> operation -> render
    engine      runs what falls due                            seed, replay   the demo cloud; a cloud driven by a trace
    fleet_file  a fleet as TOML, every mistake named           fleet_folder   a folder of a fleet, and the fleet of one
    operations  what one can ask of the cloud: load, decide, save, emit
    store       typed load and save; one file for the cloud, one a cell; the only SQL
    cloud       the pure core: values in, decisions out
    clock       the only file that asks the time

Imports point down this list and never up. "Why did this server land here?" is three files:
`dialects/cloudsigma`, `operations/servers`, `cloud/placement`.
"""
