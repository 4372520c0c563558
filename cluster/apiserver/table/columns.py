"""Column definitions: what kubectl prints above the cells, and what says which of them only `-o wide` shows."""

from typing import Any, NamedTuple

from cluster.apiserver.descriptions import describe


class Column(NamedTuple):
    """`doc`: the field whose description explains the column; `text`: an explanation of its own.

    `joint`: what stands where our source of descriptions sees the end of a paragraph, which may only be that of a line.
    `mends`: (as our source has it, as it is) of lists and gaps whose layout our source has lost.
    """

    name: str
    type: str = "string"
    doc: str = ""
    text: str = ""
    wide: bool = False
    format: str = ""
    joint: str = "\n\n"
    mends: tuple[tuple[str, str], ...] = ()

    def definition(self) -> dict[str, Any]:
        description = describe(self.doc).replace("\n\n", self.joint) if self.doc else self.text
        for lost, found in self.mends:
            description = description.replace(lost, found)
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": description,
            "priority": int(self.wide),
        }


NAME = Column("Name", doc="meta_v1.ObjectMeta.name", format="name")
AGE = Column("Age", doc="meta_v1.ObjectMeta.creationTimestamp")
CREATED = Column("Created At", "date", "meta_v1.ObjectMeta.creationTimestamp")
CONTAINERS = Column("Containers", text="Names of each container in the template.", wide=True)
IMAGES = Column("Images", text="Images referenced by each container in the template.", wide=True)
