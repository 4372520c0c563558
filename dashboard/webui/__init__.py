"""web-ui: a page that belongs to the cluster. It lives and dies with its pods, and may do what its account may.

Left out: writes, logs, charts, live refresh, the service proxy and port-forward (a program can't answer with this).
Read next: client.py.
"""
