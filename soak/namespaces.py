"""Network namespaces of our own, joined by pairs of virtual cables; needs root and iproute2."""

import os
import subprocess
from contextlib import suppress

# Of private use, and another one for each process; every cable is a network of its own in it.
NET = f"10.{64 + os.getpid() % 128}"


class Namespaces:
    """While this lasts, namespaces can be made and joined; then all are gone, with what runs there.

    Raises RuntimeError where the system does not permit them.
    """

    def __init__(self):
        self.made, self.cables = [], 0

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        for name in self.made:
            with suppress(RuntimeError):
                ip("netns", "del", name)

    def make(self, name: str) -> str:
        """The full name of a new namespace."""
        full = f"casebook-{os.getpid()}-{name}"
        ip("netns", "add", full)
        self.made.append(full)
        ip("-n", full, "link", "set", "lo", "up")
        return full

    def join(self, one: str | None, other: str | None, more: int = 0) -> tuple[str, str]:
        """Lays a cable between two namespaces (None: that of this process); the addresses of its
        two ends. The second end gets so many addresses more.
        """
        self.cables += 1
        number, network = self.cables, f"{NET}.{self.cables}"
        names = [f"cb{os.getpid() % 100_000}-{number}{end}" for end in "ab"]
        ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
        for end, (name, namespace) in enumerate(zip(names, (one, other), strict=True), start=1):
            if namespace is not None:
                ip("link", "set", name, "netns", namespace)
            inside = ("-n", namespace) if namespace is not None else ()
            ip(*inside, "addr", "add", f"{network}.{end}/24", "dev", name)
            ip(*inside, "link", "set", name, "up")
        for extra in range(more):
            inside = ("-n", other) if other is not None else ()
            ip(*inside, "addr", "add", f"{network}.{3 + extra}/24", "dev", names[1])
        return f"{network}.1", f"{network}.2"


def inside(namespace: str, *command: str) -> list[str]:
    """A command as it is run in a namespace."""
    return ["ip", "netns", "exec", namespace, *command]


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            "Network namespaces cannot be made here (they need root and iproute2): "
            f"ip {' '.join(arguments)}: {done.stderr.strip()}"
        )
