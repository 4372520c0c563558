"""Credentials: what proves who somebody is. Keys of a cluster, tokens of service accounts, certificates of users.

    keys.py          the cluster's two private keys, made of one recorded secret
    tokens.py        JSON Web Tokens: signed, read and checked, as pure functions of a key
    certificates.py  the cluster's authority and what it signs

Nothing here looks at a clock or draws a random number: time and serial numbers are handed in, and signatures are
deterministic (RFC 6979), so that a token in a Secret is the same in every replay.

Read next: tokens.py.
"""
