"""The containers of deploy/compose.yaml, held to facts: nothing here needs a container."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
SCRIPTS = sorted((DEPLOY / "compose").glob("*.sh"))
OURS = {"web", "prepare", "backup"}


def test_what_a_site_needs_is_there():
    assert set(SERVICES) == OURS | {"front", "primary", "replica", "redis"}
    assert SERVICES["primary"]["image"] == SERVICES["replica"]["image"]
    asked = SERVICES["web"]["depends_on"]
    assert asked["prepare"]["condition"] == "service_completed_successfully"
    assert SERVICES["redis"]["command"][1:5] == [
        "--maxmemory",
        "256mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ]


def test_images_are_pinned():
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    images += [each["image"] for each in SERVICES.values()]
    assert len(images) == 9
    for image in images:
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+(\.\d+)?(-[a-z-]*bookworm)?", image), image
    version = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1]
    assert {each["image"].split(":")[1] for name, each in SERVICES.items() if "build" in each} == {
        version
    }


def test_variables_are_those_casebook_reads():
    known = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    for name in OURS:
        given = set(SERVICES[name]["environment"]) - {"DATABASE_ROLE"}
        assert len(given) > 5 and given <= known, name
    entry = (DEPLOY / "compose/entry.sh").read_text()
    assert set(re.findall(r"\b([A-Z_]+_(?:KEY|URL))=", entry)) <= known


def test_nothing_secret_is_written_down_and_nothing_has_a_default():
    assert not re.search(r"\$\{\w+:?-", TEXT)
    for name, each in COMPOSE["secrets"].items():
        assert each == {"file": f"./secrets/{name}"}
    for name, service in SERVICES.items():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for variable, value in service.get("environment", {}).items():
            secret = re.search("KEY|PASSWORD|TOKEN", variable) and not variable.endswith("_FILE")
            assert not secret and "@" not in str(value), variable
    assert "deploy/secrets" in (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().split()


def test_the_server_is_given_no_owner():
    secrets = SERVICES["web"]["secrets"]
    assert "casebook_owner" not in secrets and "postgres" not in secrets
    assert SERVICES["web"]["environment"]["DATABASE_ROLE"] == "casebook_application"


def test_our_containers_may_little():
    for name in OURS:
        service = SERVICES[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    stage = DOCKERFILE[DOCKERFILE.index("FROM ") :].split("\nFROM ")[0]
    assert stage.index("USER casebook") < stage.index("ENTRYPOINT")


def test_only_the_front_is_reached_from_outside():
    assert {name for name, each in SERVICES.items() if "ports" in each} == {"web"}
    assert SERVICES["web"]["ports"] == ["80:80", "443:443"]
    assert SERVICES["front"]["network_mode"] == "service:web"
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert "CASEBOOK_BIND" not in TEXT  # so that it listens to its front alone
    assert "server 127.0.0.1:8000 " in (DEPLOY / "nginx/http.conf").read_text()


def test_what_serves_is_looked_at_and_started_again():
    for name in set(SERVICES) - {"prepare", "backup"}:
        assert SERVICES[name]["restart"] == "unless-stopped" and SERVICES[name]["healthcheck"], name
    graceful = int(re.search(r"CASEBOOK_GRACEFUL_SECONDS=(\d+)", example())[1])
    assert int(SERVICES["web"]["stop_grace_period"].rstrip("s")) > graceful


def example() -> str:
    return (ROOT / ".env.example").read_text()


def test_every_path_is_there():
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    mounted = [each for service in SERVICES.values() for each in service.get("volumes", ())]
    for source in (each.split(":")[0] for each in mounted):
        known = source in COMPOSE["volumes"] or source.startswith("${")
        assert known or (DEPLOY / source).is_file(), source
    for word in re.findall(r"/opt/casebook/(deploy/\S+?\.sh)", TEXT + DOCKERFILE):
        assert os.access(ROOT / word, os.X_OK), word


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_can_be_read(script):
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert "set -eu" in script.read_text()


def test_the_entry_gives_secrets_as_casebook_takes_them(tmp_path):
    """The script itself, with the folder of secrets elsewhere."""
    for name in COMPOSE["secrets"]:
        (tmp_path / name).write_text(f"of-{name}")
    script = tmp_path / "entry.sh"
    text = (DEPLOY / "compose/entry.sh").read_text()
    assert "/run/secrets/" in text
    script.write_text(text.replace("/run/secrets", str(tmp_path)))

    def told(role: str) -> dict[str, str]:
        done = subprocess.run(
            ["sh", script, "env"],
            env={"DATABASE_ROLE": role, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    web, owner = told("casebook_application"), told("casebook_owner")
    assert web["CASEBOOK_SECRET_KEY"] == owner["CASEBOOK_SECRET_KEY"] == "of-casebook_secret_key"
    assert web["DATABASE_URL"].startswith("postgres://casebook_application:of-casebook_app")
    assert web["DATABASE_URL"].endswith("@primary:5432/casebook")
    assert web["DATABASE_REPLICA_URL"].endswith("@replica:5432/casebook")
    assert web["DATABASE_READER_URL"].startswith("postgres://casebook_reader:")
    assert owner["DATABASE_URL"].startswith("postgres://casebook_owner:")
    assert "DATABASE_READER_URL" not in owner
