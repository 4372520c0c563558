"""The central log store: what agents ship, what a query asks for, and which lines answer it.

    agent.py         reads what containers print, and ships it: a gatherer (cluster/gathering.py)
    departures.py    what agents had open of containers that are gone
    store.py         streams of lines in blocks, an index, retention, search
    logql.py         the query language

Read next: agent.py, then store.py.
"""
