"""The central log store: what a query asks for, and which lines answer it.

Read next: logql.py, the query language; klog.py, how components write a line.
"""
