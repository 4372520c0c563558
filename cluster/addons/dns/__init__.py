"""Cluster DNS: CoreDNS as a Deployment behind the Service kube-dns. What it answers follows from Services and slices.

Read next: zone.py.
"""
