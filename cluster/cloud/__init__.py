"""The cloud that the machines are rented from, and its API: what is not Kubernetes, but has to be asked.

    provider.py     the API: calls take time, are counted, throttled, refused. Begin here
    inventory.py    what is rented, and the quotas
    machines.py, balancers.py, routes.py, disks.py     what can be asked of each

Mirrors:  the API of any cloud provider
Left out: networks, prices, users.
"""
