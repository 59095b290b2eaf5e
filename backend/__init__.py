"""The simulated cloud: rings outside, capabilities inside.

    __main__    the process: socket, lock, ready line          folder   the data folder's files that are not databases
    rehearsals  what a scenario says is done to a cloud of its own, and judged
    app         wiring only: store + engine + dialects -> one ASGI app
    dialects    one published API a file: parse -> operation -> render
    engine      runs what falls due                            seed, fleet_folder, replay   the demo cloud; a cloud of
    operations  what one can ask of the cloud: load, decide,       described hosts; one that is driven by a trace
                save, emit
    store       typed load and save; one file for the cloud, one a cell; the only SQL
    fleet_file  a fleet as TOML, every mistake named           trace    real workloads, and files of one's own
    toml_table  how a key of a TOML file is checked
    cloud       the pure core: values in, decisions out        quoting  what others wrote, in our sentences
    archive     a whole cloud as one file, and back            doctor   what is wrong with a folder, and what to do
    logs        what is said, as lines of JSON                  durations   how long things took
    check       every invariant of a folder; certificate_checker proves its decisions anew, and decision_checker what
                else they say, by host_account's arithmetic on what event_log replays; they share no code with cloud
                usage_checker proves that each interval of usage is billed once
    tokens      what is issued for an hour, on top of the folder's lasting secrets
    clock       the only file that asks the time

Imports point down this list and never up. "Why did this server land here?" is three files:
`dialects/cloudsigma`, `operations/servers`, `cloud/placement`.
"""
