"""`python -m tests.dialects.golden_sigma`: what CloudSigma's API answers to a fixed story, written down whole.

Ids are made of the cloud's and its clock stands still, so an answer is the same each time. Whoever changes one sees all
of it in the difference, and compares it with what is published.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.dialects.sigma import DISK, GIB, MINIMAL
from tests.dialects.support import Wired, wired

FILE = Path(__file__).with_name("golden_sigma.json")
HEADERS = ("location", "etag", "allow", "content-type", "www-authenticate")

Told = tuple[str, str, Any]
"""Method, path with `{names}` of what was made before, and the body. A number as the body advances the clock."""

MOUNT = {"drive": "{disk}", "device": "virtio", "dev_channel": "0:0", "boot_order": 1}
IP, VLAN = "198.18.0.2", "5d6e1d2e-6a5c-4f0f-9a6b-000000000000"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPgkWyqlxj9083nWtAtxcPzuyZO6DT210lG6gDQZKX/s me@example.org"
RULE = {"action": "accept", "direction": "in", "ip_proto": "tcp", "src_ip": "172.66.32.0/24", "dst_port": "22"}
NICS = [
    {"ip_v4_conf": {"conf": "dhcp"}, "firewall_policy": "{policy}"},
    {"ip_v4_conf": {"conf": "static", "ip": IP}},
    {"vlan": VLAN},
]
STORY: tuple[Told | int, ...] = (
    ("POST", "/drives/ as disk", DISK),
    3,
    ("POST", "/servers/ as server", {**MINIMAL, "drives": [MOUNT], "meta": {"role": "front"}}),
    ("POST", "/bservers/ as spare", {**MINIMAL, "name": "render-01", "cpu_perf_threshold": 0.5}),
    ("GET", "/servers/", None),
    ("GET", "/servers/detail/?limit=1&offset=1", None),
    ("GET", "/bservers/?fields=uuid,name", None),
    ("POST", "/servers/{server}/action/?do=start", None),
    ("POST", "/bservers/{spare}/action/?do=start&avoid={server}", None),
    8,
    ("GET", "/servers/{server}/", None),
    ("GET", "/bservers/{spare}/runtime/", None),
    ("GET", "/servers/availability_groups/", None),
    ("GET", "/servers/availability_groups/{server}/", None),
    ("POST", "/servers/{server}/action/?do=open_vnc", None),
    ("POST", "/servers/{server}/action/?do=close_vnc", None),
    ("POST", "/servers/{server}/action/?do=open_console", None),
    ("POST", "/servers/{server}/action/?do=restart", None),
    ("PUT", "/servers/{server}/", {**MINIMAL, "name": "web-02", "cpu": 2000}),
    ("POST", "/servers/{server}/action/?do=start", None),
    ("DELETE", "/servers/{server}/", None),
    ("GET", "/drives/", None),
    ("GET", "/drives/{disk}/", None),
    ("POST", "/drives/{disk}/action/?do=resize", {"size": 2 * GIB}),
    ("POST", "/drives/{disk}/action/?do=clone as copy", {"name": "copy"}),
    ("GET", "/jobs/", None),
    3,
    ("PUT", "/drives/{copy}/", {"size": 2 * GIB}),
    5,
    ("GET", "/drives/{copy}/", None),
    ("POST", "/snapshots/ as snapshot", {"drive": "{copy}", "name": "before"}),
    3,
    ("GET", "/snapshots/{snapshot}/", None),
    ("POST", "/snapshots/{snapshot}/action/?do=clone", {"name": "again"}),
    ("GET", "/drives/availability_groups/", None),
    ("POST", "/servers/{server}/action/?do=clone", {"name": "twin"}),
    ("GET", "/libdrives/?distribution=debian", None),
    ("GET", "/capabilities/", None),
    ("GET", "/servers/schema/", None),
    ("GET", "/bservers/schema/", None),
    ("GET", "/drives/schema/", None),
    ("GET", "/libdrives/schema/", None),
    ("GET", "/snapshots/schema/", None),
    ("GET", "/jobs/schema/", None),
    ("OPTIONS", "/drives/", None),
    # What lies centrally
    ("POST", "/fwpolicies/ as policy", {"name": "web", "rules": [RULE]}),
    ("POST", "/keypairs/ as key", {"name": "mine", "public_key": KEY}),
    ("POST", "/servers/ as wired", {**MINIMAL, "nics": NICS, "pubkeys": ["{key}"]}),
    ("POST", "/tags/ as tag", {"name": "mine", "resources": ["{wired}", IP, VLAN]}),
    ("POST", "/servers/{wired}/action/?do=start", None),
    68,
    ("GET", "/servers/{wired}/", None),
    ("GET", "/ips/", None),
    ("GET", f"/ips/{IP}/", None),
    ("GET", f"/vlans/{VLAN}/", None),
    ("GET", "/vlans/?limit=1", None),
    ("GET", "/fwpolicies/detail/", None),
    ("PUT", "/fwpolicies/{policy}/", {"name": "open", "rules": []}),
    ("GET", "/pubkeys/{key}/", None),
    ("PUT", "/tags/{tag}/", {"name": "yours", "resources": [VLAN]}),
    ("GET", "/tags/", None),
    ("GET", "/tags/{tag}/vlans/", None),
    ("PUT", "/profile/", {"company": "ACME"}),
    ("GET", "/logs/?limit=5", None),
    ("GET", "/locations/", None),
    ("GET", "/cloud_status/", None),
    ("GET", "/hostavailabilityzones/", None),
    ("GET", "/tags/schema/", None),
    ("GET", "/ips/schema/", None),
    ("GET", "/vlans/schema/", None),
    ("GET", "/fwpolicies/schema/", None),
    ("GET", "/keypairs/schema/", None),
    ("GET", "/pubkeys/schema/", None),
    ("GET", "/profile/schema/", None),
    ("GET", "/logs/schema/", None),
    # Refusals
    ("POST", "/servers/", {"name": "x"}),
    ("POST", "/servers/", {**MINIMAL, "cpu": 1}),
    ("POST", "/drives/", {**DISK, "size": 1}),
    ("POST", "/servers/{server}/action/?do=explode", None),
    ("POST", "/bservers/{server}/action/?do=stop", None),
    ("GET", "/servers/{disk}/", None),
    ("PATCH", "/servers/{server}/", None),
    ("GET", "/drives/?format=xml", None),
    ("GET", "/drives/?order_by=size", None),
    ("DELETE", "/drives/{disk}/", None),
    ("DELETE", "/drives/{copy}/", None),
)


async def answers(on: Wired) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    found = []
    for told in STORY:
        if isinstance(told, int):
            await on.advance(told)
            continue
        method, path, body = told
        path, _, name = path.partition(" as ")
        answer = await on.sigma.request(method, filled(path, names), json=filled(body, names))
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        content: Any = answer.json() if is_json else answer.text
        if name:
            names[name] = content["objects"][0]["uuid"]
        found.append(
            {
                "asked": f"{method} {path}",
                "body": body,
                "status": answer.status_code,
                "headers": {header: answer.headers[header] for header in HEADERS if header in answer.headers},
                "answer": content,
            }
        )
    return found


def filled(value: Any, names: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, uuid in names.items():
        text = text.replace("{" + name + "}", uuid)
    return json.loads(text)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = wired(Path(folder) / "data", answers, cells=("cell-1",))
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
