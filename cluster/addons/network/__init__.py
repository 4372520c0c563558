"""The network plugin's part in who may talk to whom. Addresses and routes are runtime/network.py's and network.py's.

Read next: policy.py.
"""
