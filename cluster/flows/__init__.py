"""Traffic: what load generators send, which way it takes, who serves it how quickly, and what comes of the rest.

    ways.py       where a generator's requests go: DNS, its node's rules, routes, policies, ports: one look for all
    balance.py    how many requests a second that makes at each server, how long they take there, how many fail
    traffic.py    the component that looks anew whenever a way, a server or a wish changes

There is no event for a request. A flow is a rate in the record of its sender, a load one in the records of those who
serve it, and both hold until something changes: ten thousand requests a second that go on as before are no steps, no
commits, and nothing that grows.

Read next: runtime/traffic.py for the records, addons/traffic/operator.py for LoadGenerator objects.
"""
