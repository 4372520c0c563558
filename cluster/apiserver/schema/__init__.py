"""The structure of every API type: what decoding, patching and OpenAPI are driven by.

types.py compiles the table of types; decoding.py walks a body and its type side by side.
"""

from cluster.apiserver.schema.decoding import blank, decode, zero
from cluster.apiserver.schema.types import Type, compile_type, definitions, field, is_known, name_of, type_of

__all__ = ["Type", "blank", "compile_type", "decode", "definitions", "field", "is_known", "name_of", "type_of", "zero"]
