"""The examples in the docstrings of the nouns are true."""

import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

from cluster import objects


@pytest.mark.parametrize("name", [module.name for module in iter_modules(objects.__path__)])
def test_the_examples_of_a_module_are_true(name):
    assert doctest.testmod(import_module(f"cluster.objects.{name}")).failed == 0
