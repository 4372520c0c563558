"""The connection under the reads."""

import pytest
from django.db import DatabaseError

from cluster.apiserver.reads import Reader


def test_a_broken_connection_is_replaced(lab):
    reader = Reader()
    assert reader.cluster("lab") is not None

    reader._connection.close()

    assert reader.cluster("lab") is not None


def test_what_the_database_refuses_is_a_database_error(lab):
    with pytest.raises(DatabaseError, match="nothing"):
        Reader().rows("SELECT 1 FROM nothing", [])
