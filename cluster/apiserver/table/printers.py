"""How each kind prints: the tables of every group in one.

A group's file has `PRINTERS`, {(group, kind): Printer}; it is named here once.

Read next: printer.py for what a printer is.
"""

from cluster.apiserver.table import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    autoscaling,
    batch,
    certificates,
    core,
    devices,
    flowcontrol,
    networking,
    others,
    rbac,
    storage,
    volumes,
)
from cluster.apiserver.table.printer import GENERIC, Printer

__all__ = ["PRINTERS", "Printer", "printer_of"]

PRINTERS: dict[tuple[str, str], Printer] = {
    **core.PRINTERS,
    **volumes.PRINTERS,
    **apps.PRINTERS,
    **batch.PRINTERS,
    **autoscaling.PRINTERS,
    **admissionregistration.PRINTERS,
    **apiextensions.PRINTERS,
    **apiregistration.PRINTERS,
    **certificates.PRINTERS,
    **devices.PRINTERS,
    **flowcontrol.PRINTERS,
    **networking.PRINTERS,
    **others.PRINTERS,
    **rbac.PRINTERS,
    **storage.PRINTERS,
}


def printer_of(group: str, kind: str) -> Printer:
    return PRINTERS.get((group, kind), GENERIC)
