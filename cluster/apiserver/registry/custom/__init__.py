"""Custom kinds: what a CustomResourceDefinition says, as entries of the registry.

    definition ──> resources_of ──> one Resource a served version, as if it had been written in core.py

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apiserver (customresource_handler.go), pkg/registry/customresource
Left out: conversion webhooks.
"""

from cluster.apiserver.registry.custom.kind import resources_of, type_name

__all__ = ["resources_of", "type_name"]
