"""web-ui: a page that belongs to the cluster. It lives and dies with its pods, and may do what its account may.

    client.py      requests to the API, with the token of the pod's account
    discovery.py   what kinds there are; objects.py, health.py: what a page shows of them
    writes.py      what a form asks of the API, and its kubectl line
    views.py       the pages, and their live parts

Left out: charts, draining, sorting, a log that follows faster than every two seconds; the service proxy and
port-forward (a program can't answer with this).
Read next: client.py.
"""
