"""Runs the commands of deploy/README.md, as they stand and in order, in a bare Debian.

As root, where mmdebstrap and systemd-container are installed; ports 80, 443, 5432, 5433, 6379 and
8000 have to be free, since the Debian has this machine's network:

    python .ci/try_readme.py /var/tmp/try-readme

It makes a Debian 12 there, boots it with systemd, gives it what a machine of yours would have (the
name in /etc/hosts, this machine's way to packages), runs each block of shell, and stops at the
first that fails. Played by us: the authority that signs the certificate, and who types a password.
"""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "casebook.example.org"
# commands that need what is not to be had here, and why
NOT_RUN = {"certbot": "no authority can reach this machine"}
TYPED = {"Username": "root-of-casebook", "Email": "", "Password": "correct horse battery staple"}
AUTHORITY = f"""
cd /etc/ssl/casebook
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \\
    -keyout /root/ca.key -out /usr/local/share/ca-certificates/try.crt -subj '/CN=Our own'
openssl x509 -req -in request.csr -days 2 -CA /usr/local/share/ca-certificates/try.crt \\
    -CAkey /root/ca.key -extfile <(echo subjectAltName=DNS:{NAME}) -out fullchain.pem
update-ca-certificates
"""
NEW_VERSION = """
cd /srv/casebook.git
export GIT_AUTHOR_NAME=try GIT_AUTHOR_EMAIL= GIT_COMMITTER_NAME=try GIT_COMMITTER_EMAIL=
git update-ref HEAD "$(git commit-tree 'HEAD^{tree}' -p HEAD -m 'A new version')"
"""
CHECKS = {
    "a page, encrypted, by HTTP/2": f"curl -sSf --http2 -o /dev/null -w '%{{http_version}} "
    f"%{{http_code}}' https://{NAME}/published/ | grep -x '2 200'",
    "static files are compressed": f"curl -sSf -D - -o /dev/null -H 'Accept-Encoding: gzip' "
    f"https://{NAME}$(curl -sSf https://{NAME}/ | grep -o '/static/[^\"]*css' | head -1) "
    "| grep -i 'content-encoding: gzip'",
    "plain http leads to https": f"curl -sS -o /dev/null -w '%{{http_code}}' http://{NAME}/ "
    "| grep -x 301",
    "the login is there": f"curl -sSf https://{NAME}/admin/login/ | grep -q csrfmiddlewaretoken",
    "a password alone leads to the second factor": f"""cd /root
        curl -sSf -c jar -b jar -o /dev/null https://{NAME}/admin/login/
        token=$(awk '/csrf/ {{print $7}}' jar)
        curl -sS -c jar -b jar -o /dev/null -e https://{NAME}/admin/login/ \\
            --data-urlencode "csrfmiddlewaretoken=$token" --data-urlencode next=/admin/ \\
            --data-urlencode "username={TYPED["Username"]}" \\
            --data-urlencode "password={TYPED["Password"]}" https://{NAME}/admin/login/
        curl -sSL -b jar -o /dev/null -w '%{{url_effective}}' https://{NAME}/admin/ \\
            | grep second-factor""",
    "readers cannot write": "{ runuser -u casebook -- psql -U casebook_reader -d casebook -c "
    "'DELETE FROM evidence_patient' 2>&1 || true; } | grep 'permission denied'",
    "a backup is there": "ls /opt/casebook/var/backups/casebook-*.zip",
    "the primary lost, reading goes on": "systemctl stop postgresql@15-main; sleep 2; "
    f"curl -sSf -D - -o /dev/null 'https://{NAME}/published/?sex=female' | grep -i cache-status; "
    "found=$?; systemctl start postgresql@15-main; exit $found",
    "the log names nobody": "! grep -E '127.0.0.1|sex=' /var/log/nginx/casebook.log",
}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sh(*command: str, **options) -> None:
    subprocess.run(command, check=True, **options)


def prepare(folder: Path) -> Path:
    """The bare Debian, with a clone of this repository to take Casebook from."""
    system = folder / "debian"
    sh(
        "mmdebstrap", "--variant=minbase", "--include=systemd-sysv,dbus,ca-certificates",
        "--dpkgopt=force-unsafe-io", "bookworm", str(system),
    )  # fmt: skip
    sh("git", "clone", "-q", "--bare", str(ROOT), str(system / "srv/casebook.git"))
    (system / "etc/hosts").write_text(f"127.0.0.1 localhost {NAME}\n")
    (system / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
    bundle = os.environ.get("PIP_CERT")
    if bundle:  # this machine's way to packages
        (system / "etc/pip-certificates.crt").write_bytes(Path(bundle).read_bytes())
        (system / "etc/pip.conf").write_text("[global]\ncert = /etc/pip-certificates.crt\n")
    return system


def leader_of(process: subprocess.Popen) -> str:
    """The process id of the Debian's systemd, once it is up."""
    for _ in range(120):
        time.sleep(1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            state = subprocess.run(
                [*entering(child), "systemctl", "is-system-running"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if state.stdout.strip() in ("running", "degraded"):
                return child
    sys.exit("The Debian did not start.")


def entering(leader: str) -> list[str]:
    clean = [
        "env",
        "-i",
        "DEBIAN_FRONTEND=noninteractive",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "LANG=C.UTF-8",
    ]
    return ["nsenter", "-t", leader, "-m", "-u", "-i", "-p", "-r", "-w", *clean]


def run(leader: str, block: str) -> int:
    """Runs a block as root would type it; the first command that fails ends it."""
    shell = [*entering(leader), "bash", "-e", "-o", "pipefail", "-c", block]
    if "createsuperuser" not in block:
        return subprocess.run(shell, stdin=subprocess.DEVNULL, check=False).returncode
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(shell[0], shell)  # noqa: S606
    waiting = ""
    while True:
        try:
            waiting += os.read(terminal, 1024).decode(errors="replace")
        except OSError:
            break
        for prompt, answer in TYPED.items():
            if re.search(rf"{prompt}[^\n]*: $", waiting):
                os.write(terminal, f"{answer}\n".encode())
                waiting = ""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> int:
    folder, began, failed = Path(sys.argv[1]), time.monotonic(), 0
    folder.mkdir(parents=True)
    system = prepare(folder)
    command = ["systemd-nspawn", "-D", str(system), "-b", "--register=no", "--keep-unit"]
    log = (folder / "boot.log").open("w")
    with subprocess.Popen(
        [*command, "--console=pipe"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
    ) as machine:
        try:
            leader = leader_of(machine)
            for block in blocks((ROOT / "deploy/README.md").read_text()):
                title = next(line for line in block.splitlines() if not line.startswith("cd "))
                why = next((why for word, why in NOT_RUN.items() if word in block), None)
                if why:
                    print(f"not run  {title}: {why}", flush=True)
                    continue
                start = time.monotonic()
                if "git pull" in block:
                    run(leader, NEW_VERSION)
                block = block.replace("ADDRESS", "/srv/casebook.git")
                status = run(leader, block)
                if status == 0 and "request.csr" in block:
                    status = run(leader, AUTHORITY)
                took = time.monotonic() - start
                print(f"{'FAILED' if status else 'ran':8} {took:5.0f} s  {title}", flush=True)
                if status:
                    print(block)
                    return 1
            for what, check in CHECKS.items():
                status = run(leader, check)
                failed += status != 0
                print(f"{'FAILED' if status else 'holds':8} {what}", flush=True)
        finally:
            machine.terminate()
            machine.wait(60)
    print(f"{failed} of {len(CHECKS)} checks failed; {time.monotonic() - began:.0f} s in all")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
