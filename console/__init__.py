"""The operator's terminal: one console over one cloud or several, whatever they are.

    cli            the command line, with its parts cli_*; the only importer of the backend, and late
    web            the same console in a browser: who may come in
    app            thin: palettes, and the frame as the bottom of the screen stack
    screens        compose, workers, what a key does; no formatting, no rules
    widgets        draw the lines that they are given
    launch         the backend as a child process; unix_http: one request, for commands that are over at once
    openstack_env  what a shell or a clouds.yaml says of a cloud
    client, wire   a cloud of our own kind, and its answers as records (client_backups: a part)
    openstack      a real OpenStack behind the same port: what it has, and a sentence for what it does not
    port           what the console asks of a cloud, whichever kind; failures are ClientError
    exchange       one request over HTTP; written_down: in the log before it is sent
    audit          what was done from here, written down before it is sent
    command_line   the line after `:`
    clipboard      programs of this machine that take a copied text
    commands       every key in one registry: title, impact, where it acts; keymaps: other keys for it
    reasons        what a verb would act on, and why it is off for that
    presentation   pure view-models: records -> lines of spans that carry meaning (a tone), not colour
    kept           what is kept between runs: chosen columns, bookmarks, typed lines
    contexts       the clouds that the settings name, with their rules: which is production is known here
    settings       one table of settings: checks, listing and example come from it; names: words shared with it
    records        frozen: what an API said; None is what it did not say (records_servers: small, for there are many)
    memory         how seldom Python looks for garbage; what a long list took is given back
    sanitising     texts of a cloud made harmless: what comes from a client or from unix_http is
    console.tcss   tone -> colour, here and nowhere else

The loop: a key -> a command -> the client -> records -> the mirror -> a view's lines -> a widget. Imports point down.
"""
