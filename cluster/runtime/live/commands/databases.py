"""Clients of databases, by name. Their servers answer in servers/.

Read next: mysql.py, psql.py, mongosh.py.
"""

from cluster.runtime.live.commands.mongosh import MONGO
from cluster.runtime.live.commands.mysql import MYSQL
from cluster.runtime.live.commands.psql import POSTGRES

DATABASES = {**MYSQL, **POSTGRES, **MONGO}
