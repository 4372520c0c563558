"""Every recorded watch, replayed: the same acts on the same config maps make the same frames in the same order."""

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from cluster.gateway.hub import hub
from tests.cluster.gateway.asgi import Exchange

GOLDEN = Path(__file__).parents[2] / "golden" / "listwatch"
RECORDED = {name: case for name, case in json.loads((GOLDEN / "watches.json").read_text()).items() if "frames" in case}
NAMES = list(RECORDED)
SPACE = "lw-public"
CURRENT, HALF = "15970", "15812"  # Recorded revisions: when the watches began, and after the seventh config map.


def acts_of(case):
    """(act, the frames that were recorded after it) in order; frames before the first act come with None."""
    found = [(None, [])]
    for entry in case["frames"]:
        if "ACTION" in entry:
            found.append((entry["ACTION"], []))
        else:
            found[-1][1].append(entry["frame"])
    return found


class Recorder:
    """Does what the recorder did to a namespace of config maps."""

    def __init__(self, lab):
        self.lab = lab
        lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        lab.settle()
        lab.world.commit()
        for number in range(12):
            parity = "odd" if number % 2 else "even"
            made = self.make(f"cm-{number:02}", {"labels": {"i": str(number), "par": parity}}, {"v": "0"})
            if number == 6:
                self.half = made["metadata"]["resourceVersion"]
        self.make("aaa-new", {})
        self.drop("cm-11")
        self.start = self.now

    @property
    def now(self):
        return str(self.lab.revision)

    def make(self, name, metadata, data=None):
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SPACE, **metadata}}
        return self.lab.create({**obj, "data": data} if data else obj)

    def drop(self, name):
        self.lab.request("DELETE", f"/api/v1/namespaces/{SPACE}/configmaps/{name}")

    def patch(self, name, patch):
        content_type = "application/merge-patch+json"
        self.lab.request("PATCH", f"/api/v1/namespaces/{SPACE}/configmaps/{name}", patch, "", content_type)

    def act(self, act, frames):
        words = act.split()
        objects = [frame["object"] for frame in frames]
        if any(obj["kind"] == "Namespace" for obj in objects):
            self.act_on_namespace(act)
        elif act.startswith("no-op update"):
            self.patch(words[-1], {"data": self.lab.get("ConfigMap", words[-1], SPACE)["data"]})
        elif act.startswith("update"):
            named = [obj["data"]["v"] for obj in objects if obj.get("name") == words[-1] and obj.get("data")]
            self.patch(words[-1], {"data": {"v": named[0] if named else "5"}})
        elif "->" in act:
            self.patch(words[0], {"metadata": {"labels": {"par": act.partition("->")[2]}}})
        elif "data change" in act:
            self.patch(words[0], {"data": {"v": "8" if "outside" in act else "7"}})
        elif act == "create with finalizer":
            self.make("wf", {"finalizers": ["a.b/c"]})
        elif act == "remove finalizer":
            self.patch("wf", {"metadata": {"finalizers": None}})
        elif act == "delete":
            self.drop("wf")
        elif act.endswith("in selector"):
            self.make("w2", {"labels": {"par": "odd"}}) if act.startswith("create") else self.drop("w2")
        elif act.startswith("DELETE ?"):
            path = f"/api/v1/namespaces/{SPACE}/configmaps"
            self.lab.request("DELETE", path, None, urlencode({"labelSelector": act.partition("labelSelector=")[2]}))
        elif act.startswith("create"):
            self.make(words[-1], {})
        else:
            self.drop(words[-1])

    def act_on_namespace(self, act):
        if act == "create":
            self.lab.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lwx-public"}})
        else:
            self.lab.request("DELETE", "/api/v1/namespaces/lwx-public")
        self.lab.run_for(10)
        self.lab.world.commit()

    def url(self, case):
        """The recorded URL with this run's revisions, for a watch that ends after a second."""
        url = urlsplit(case["path"])
        query = dict(parse_qsl(url.query))
        versions = {"0": "0", "1": "1", HALF: self.half, CURRENT: self.start}
        if "resourceVersion" in query:
            asked = query["resourceVersion"]
            later = str(int(self.now) + 100_000) if int(asked) > 100_000 else self.now
            query["resourceVersion"] = versions.get(asked, later)
        return f"{url.path}?{urlencode({**query, 'timeoutSeconds': 1})}"


@pytest.mark.parametrize("name", NAMES)
def test_a_watch_sees_what_was_recorded(lab, name):
    recorder, case = Recorder(lab), RECORDED[name]
    for earlier in NAMES[: NAMES.index(name)]:
        for act, frames in acts_of(RECORDED[earlier]):
            if act is not None:
                recorder.act(act, frames)

    answer = asyncio.run(replayed(recorder, case))

    assert answer.status == case["status"]
    assert {k: answer.headers[k.lower()] for k in case["headers"] if k != "Transfer-Encoding"} == {
        k: v for k, v in case["headers"].items() if k != "Transfer-Encoding"
    }
    wanted = [plain(entry["frame"]) for entry in case["frames"] if "frame" in entry]
    assert without_late_bookmarks(plain(frame) for frame in answer.frames()) == without_late_bookmarks(wanted)


async def replayed(recorder, case):
    exchange = Exchange(recorder.url(case), **({"accept": case["accept"]} if case.get("accept") else {}))
    seen = 0
    for act, frames in acts_of(case):
        seen += sum(1 for frame in frames if frame.get("type") != "BOOKMARK" or is_initial_end(frame))
        if act is None:
            await exchange.until(lambda answer: answer.chunks)
        else:
            await asyncio.to_thread(recorder.act, act, frames)
            hub("lab").wake()
        if frames and "type" in frames[0]:
            await exchange.until(lambda answer, n=seen: len(objects_in(answer)) >= n)
    return await exchange.finished()


def objects_in(answer):
    return [frame for frame in answer.frames() if frame["type"] != "BOOKMARK" or is_initial_end(frame)]


def is_initial_end(frame):
    return "annotations" in frame["object"].get("metadata", {})


def without_late_bookmarks(frames):
    """Bookmarks come when they come; only that which ends the initial events has its place."""
    return [frame for frame in frames if not (frame.get("type") == "BOOKMARK" and not frame["end"])]


def plain(frame):
    """What a frame says, in the recordings' short form of config maps."""
    obj = frame.get("object", frame)
    metadata = obj.get("metadata") or {}
    if obj["kind"] == "Status":
        return {**obj, "message": obj["message"].partition("(")[0]}
    if frame.get("type") == "BOOKMARK":
        return {"type": "BOOKMARK", "kind": obj["kind"], "end": is_initial_end(frame)}
    if obj["kind"] == "Table":
        rows = [[*row["cells"][:2], row["object"]["kind"]] for row in obj["rows"]]
        return {"type": frame["type"], "columns": obj["columnDefinitions"], "rows": rows}
    if obj["kind"] == "Namespace":
        conditions = [(c["type"], c["status"], c["reason"]) for c in obj["status"].get("conditions", ())]
        return {"type": frame["type"], "spec": obj["spec"], "phase": obj["status"]["phase"], "conditions": conditions}
    name = obj.get("name") or metadata.get("name")
    return {
        "type": frame.get("type"),
        "kind": obj["kind"],
        "name": name,
        "labels": obj.get("labels") or metadata.get("labels"),
        "data": "a certificate" if name == "kube-root-ca.crt" else obj.get("data"),
        "deleting": bool(obj.get("deletionTimestamp") or metadata.get("deletionTimestamp")),
    }
