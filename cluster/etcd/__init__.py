"""etcd: keys, revisions, and the one place that writes to the database. Only the API server may come in here.

store.py is the MVCC store in memory; disk.py makes a turn durable; reads of committed rows are disk.py's too.
"""
