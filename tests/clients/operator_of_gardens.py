"""An operator as kopf users write them: each Garden gets a ConfigMap, and a bed of its own number of plants."""

from typing import Any

import kopf
import kubernetes


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True
    settings.persistence.finalizer = "gardens.example/kopf"


@kopf.on.create("gardens.example", "v1", "gardens")
def create(body: Any, spec: Any, name: str, namespace: str, **_: Any) -> dict[str, Any]:
    bed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-bed"}}
    bed["data"] = {"plants": str(spec["plants"])}
    kopf.adopt(bed)
    _core().create_namespaced_config_map(namespace, bed)
    kopf.info(body, reason="Planted", message=f"{spec['plants']} plants")
    return {"planted": spec["plants"]}


@kopf.on.update("gardens.example", "v1", "gardens", field="spec.plants")
def update(new: int, name: str, namespace: str, **_: Any) -> None:
    _core().patch_namespaced_config_map(f"{name}-bed", namespace, {"data": {"plants": str(new)}})


@kopf.on.delete("gardens.example", "v1", "gardens")
def delete(name: str, namespace: str, **_: Any) -> None:
    _core().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-is-gone"}})


def _core() -> Any:
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config())
