"""The operator's terminal: one console over one cloud, whatever that cloud is.

    cli            the command line, with cli_running, cli_clouds, cli_check, cli_shell and cli_options; the only
                   importer of the backend, and late
    app            thin: palettes, and the frame as the bottom of the screen stack
    screens        compose, workers, what a key does; no formatting, no rules
    widgets        draw the lines that they are given
    launch         the backend as a child process; unix_http: one request, for commands that are over at once
    openstack_env  what a shell or a clouds.yaml says of a cloud
    client, wire   the port to a cloud, and its answers as records; failures are ClientError (client_backups: a part)
    audit          what was done from here, written down before it is sent
    command_line   the line after `:`
    clipboard      programs of this machine that take a copied text
    commands       every key in one registry: title, impact, where it acts; keymaps: other keys for it
    reasons        what a verb would act on, and why it is off for that
    presentation   pure view-models: records -> lines of spans that carry meaning (a tone), not colour
    kept           what is kept between runs: chosen columns, bookmarks, typed lines
    settings       one table of settings: checks, listing and example come from it; names: words shared with it
    records        frozen: what an API said; None is what it did not say
    sanitising     texts of a cloud made harmless: what comes from a client or from unix_http is
    console.tcss   tone -> colour, here and nowhere else

The loop: a key -> a command -> the client -> records -> the mirror -> a view's lines -> a widget. Imports point down.
"""
