"""Resource monitoring: what is measured where, how often, and who shows it.

Read next: metrics_server.py.
"""
