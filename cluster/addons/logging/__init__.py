"""Cluster-level logging: an agent on every node, and a store. What they do: cluster/logstore."""
