"""One published API each over the same cloud: parse -> operation -> render.

A dialect owns everything that its clients can see and the cloud does not care about: paths, envelopes, field names,
units, defaults, words for states, error bodies, paging, versions. It decides nothing about servers or hosts, never sees
SQL and never another dialect; what it cannot express it leaves out and says so in its docstring.

    wire         what they share: bodies and their bounds, hosts, credentials, request ids, instants, paths
    requests     what is counted and logged of each request
    ops          `/ops/v1`, the operator's own: the console and scripts
    cloudsigma   `/api/2.0`, CloudSigma 2.0
    nova         `/compute/v2.1`, OpenStack Compute
    openstack    what OpenStack's services share: tokens, ids without dashes, where each of them answers
    identity     `/identity/v3`, OpenStack Identity (Keystone)
    image        `/image/v2`, OpenStack Image (Glance)

Each has `routes(cloud, credentials)`, an `ERRORS` table that maps every CloudError to a status and a body, and a
`refuse` that gives every refusal, the wire's own included, the shape which its clients expect.
"""
