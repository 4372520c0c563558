"""The central log store: what agents ship, what a query asks for, and which lines answer it.

    agent.py         reads what containers print, and ships it: a gatherer (cluster/gathering.py)
    departures.py    what agents had open of containers that are gone
    ahead.py         what containers will print next, so that it is not worked out at each look
    journal.py       what components write, derived from what is committed; voices/ says it, in klog.py's form
    unshipped.py     what of that no agent has shipped yet
    store.py         streams of lines in blocks, an index, retention, search
    logql.py         the query language: tokens.py, pipeline.py, and aggregate.py for what is counted

Read next: agent.py, then store.py.
"""
