"""web-ui: a page that belongs to the cluster. It lives and dies with its pods, and may do what its account may.

    door.py        where it can be reached, and which pod answers there
    client.py      requests to the API, with the token of the pod's account
    views.py       the pages, and their live parts; streams.py, how a page hears of changes and of log lines;
                   terminal.py, a shell in a container
    discovery.py   what kinds there are; navigation.py, the menu of them
    tables.py      lists; objects.py, summaries/, health.py, usage.py: what a page shows of things
    writes.py      what a form asks of the API, and its kubectl line; changes.py, rollouts.py, draining.py:
                   what takes more than one request
    cells.py       what stands on a page, as data

Left out: server-side apply; terminals with control sequences; logging in; acting on several objects at once.
Read next: door.py.
"""
