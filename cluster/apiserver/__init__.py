"""kube-apiserver: the only room that touches etcd. Begin with server.py (a write's way) and reads.py (committed rows)."""
