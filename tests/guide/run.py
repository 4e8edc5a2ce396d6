#!/usr/bin/env python3
"""Follows the bare-metal guide of deploy/README.md as it is written: eleven hosts, each a bare Debian root with systemd
in namespaces of its own (systemd-nspawn), the packages that deploy/packages/build.sh makes, and then a call over both
regions, one of its people behind a firewall that lets no UDP through. Counts the commands and the time.

Needs root, systemd-container, mmdebstrap, apt-utils, openssl, curl and what the browser tests need. The bare root and
Debian's packages come from Debian's mirror once and stay in target/guide. The page has to be built (`make web`); with a debug
build the tree may not be below /home or /root, where units see nothing.
Usage: run.py DIRECTORY_OF_THE_BINARIES"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target/guide"
BASE = WORK / "base"
PACKAGES = WORK / "packages"
PAGE = ROOT / "control-plane/web/app/dist"
RUN = WORK / f"run-{os.getpid()}"
NAME = f"rg-guide-{os.getpid()}"
COMMANDS_MAX = 25
COMMAND_SECONDS = 120
# Files that a service may have open on Debian.
HOST_FILES = 524_288
# HAProxy has two for each of its connections, and does not start with fewer.
PROXY_FILES = 40_100
# What a server of a hosting company has, and nothing that the guide installs.
BARE = "systemd,systemd-sysv,dbus,iproute2,openssh-server,openssh-client,ca-certificates,procps"
ROUTER = {"private": "10.0.0.1", "public": "198.51.100.1"}
CLIENTS = {"client-eu": "198.51.100.101", "client-us": "198.51.100.102", "client-closed": "198.51.100.103"}
PROMETHEUS = "10.0.0.51"


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ip(*words):
    return run("ip", *" ".join(words).split())


class Guide:
    """The guide's hosts and commands, out of the document."""

    def __init__(self):
        text = (ROOT / "deploy/README.md").read_text()
        text = text[text.index("## Bare metal") : text.index("**Regions.**")]
        self.hosts = {}
        for row in re.findall(r"^\| ([a-z]+(?:-\d)?) \| ([\d.]+) \| ([\d.]*) ?\| `(.*)` \|$", text, re.M):
            name, private, public, packages = row
            self.hosts[name] = {"private": private, "public": public, "packages": packages}
        self.steps = []
        on = None
        for line in text.splitlines():
            bold = re.match(r"\*\*([^*]+)\*\*", line)
            if bold:
                names = bold[1].split(", ")
                on = list(self.hosts) if names == ["Every host"] else [name for name in names if name in self.hosts]
            elif line.startswith("    "):
                assert on, f"nobody knows where to type: {line}"
                self.steps.append((on, line.strip()))


class Host:
    """One machine: a root over the bare one, a network namespace, and systemd."""

    def __init__(self, name, facts):
        self.name, self.facts, self.netns = name, facts, f"{NAME}-{name}"
        self.upper, self.root = RUN / name / "upper", RUN / name / "root"

    def prepare(self, guide, key):
        for folder in (self.upper, RUN / name_of_work(self.name), self.root):
            folder.mkdir(parents=True, exist_ok=True)
        work = RUN / name_of_work(self.name)
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={BASE},upperdir={self.upper},workdir={work}", self.root)
        ip(f"netns add {self.netns}")
        ip(f"-n {self.netns} link set lo up")
        attach(self.netns, "private", self.facts["private"], default=not self.facts["public"])
        if self.facts["public"]:
            attach(self.netns, "public", self.facts["public"], default=True)
        names = "".join(f"{of['private']} {name}\n" for name, of in guide.hosts.items())
        self.write("etc/hosts", f"127.0.0.1 localhost\n{names}{sites(guide)}")
        self.write("etc/hostname", f"{self.name}\n")
        self.write("root/.ssh/authorized_keys", key.with_suffix(".pub").read_text())
        if self.name == "control-1":
            self.write("root/.ssh/id_ed25519", key.read_text(), mode=0o600)
            self.write("root/.ssh/config", "StrictHostKeyChecking accept-new\n")
        if "railgun-control" in self.facts["packages"]:
            # A debug build reads the page from the tree that it was built in.
            shutil.copytree(PAGE, self.root / PAGE.relative_to("/"), dirs_exist_ok=True)
        if self.name == "balancer":
            both = (RUN / "voice.pem").read_text() + (RUN / "voice.key").read_text()
            self.write("etc/haproxy/certs/voice.example.org.pem", both, mode=0o600)
            if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < PROXY_FILES:
                fewer = "[Service]\nEnvironment=\"EXTRAOPTS=-S /run/haproxy-master.sock -n 2000\"\n"
                self.write("etc/systemd/system/haproxy.service.d/files.conf", fewer)
        if self.name == "turn-1":
            live = "etc/letsencrypt/live/turn.example.org"
            self.write(f"{live}/fullchain.pem", (RUN / "turn.pem").read_text())
            self.write(f"{live}/privkey.pem", (RUN / "turn.key").read_text(), mode=0o600)
        for package in PACKAGES.glob("railgun*.deb"):
            if "dbgsym" not in package.name:
                shutil.copy(package, self.root / "root")

    def write(self, path, text, mode=0o644):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def boot(self):
        log = open(RUN / self.name / "boot.log", "w")
        command = ["systemd-nspawn", "--quiet", "-D", self.root, "--boot", "--keep-unit", "--register=no"]
        command += [f"--network-namespace-path=/run/netns/{self.netns}", f"--machine={self.netns}"]
        command += [f"--hostname={self.name}", "--capability=CAP_NET_ADMIN", "--console=pipe"]
        command += [f"--bind-ro={PACKAGES}:/srv/packages", "--resolv-conf=off", "--timezone=off"]
        # As the kernel gives a host's first process, or as much of it as this machine lets anybody have.
        command += [f"--rlimit=RLIMIT_NOFILE=1024:{min(HOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])}"]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + 60
        while time.monotonic() < until:
            self.init = next(iter(children.read_text().split()), None)
            up = self.init and self.run("test -S /run/systemd/private && systemctl is-system-running --wait")[1]
            if up and up.split()[-1:] in (["running"], ["degraded"]):
                return
            time.sleep(0.2)
        raise SystemExit(f"{self.name} does not boot: {up}\n{(RUN / self.name / 'boot.log').read_text()[-2000:]}")

    def run(self, command):
        """As root's shell on the host would: exit status, output."""
        inside = ["nsenter", "--target", self.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        environment = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
        words = [*inside, "/bin/bash", "-c", f"cd /root\n{command}"]
        try:
            done = subprocess.run(
                words, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired as late:
            return 124, f"no end after {COMMAND_SECONDS} s\n{(late.output or b'').decode()}"
        return done.returncode, done.stdout

    def must(self, command):
        status, output = self.run(command)
        if status != 0:
            raise SystemExit(f"{self.name}: {command}: {status}\n{output}")
        return output

    def end(self):
        if getattr(self, "process", None):
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait()
        subprocess.run(["umount", "--lazy", str(self.root)], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.netns], capture_output=True)


def name_of_work(name):
    return f"{name}/work"


def sites(guide):
    return f"{guide.hosts['balancer']['public']} voice.example.org\n{guide.hosts['turn-1']['public']} turn.example.org\n"


def attach(netns, network, address, default):
    """Puts an interface of this network into the namespace."""
    attach.count = getattr(attach, "count", 0) + 1
    port, interface = f"port{attach.count}", {"private": "eth0", "public": "eth1"}[network]
    ip(f"-n {NAME}-switch link add {port} type veth peer name {interface} netns {netns}")
    ip(f"-n {NAME}-switch link set {port} master {network} up")
    ip(f"-n {netns} address add {address}/24 dev {interface}")
    ip(f"-n {netns} link set {interface} up")
    if default:
        ip(f"-n {netns} route add default via {ROUTER[network]}")


def client(netns, network, address):
    ip(f"netns add {netns}")
    ip(f"-n {netns} link set lo up")
    attach(netns, network, address, default=True)


def bare_root(guide):
    """Debian's root and the packages that the guide installs, from its mirror, once."""
    wanted = sorted({word for of in guide.hosts.values() for word in of["packages"].split() if "/" not in word})
    wanted += ["nftables", "adduser"]
    done = WORK / "base.done"
    if done.exists() and done.read_text() == BARE + repr(wanted):
        return
    shutil.rmtree(BASE, ignore_errors=True)
    shutil.rmtree(PACKAGES, ignore_errors=True)
    PACKAGES.mkdir(parents=True)
    run("mmdebstrap", "--variant=minbase", f"--include={BARE}", "--skip=cleanup/apt/lists", "bookworm", BASE)
    shutil.copy("/etc/resolv.conf", BASE / "etc/resolv.conf")
    fetch = "apt-get install --download-only --no-install-recommends -y"
    run("chroot", BASE, "sh", "-c", f"{fetch} {' '.join(wanted)}")
    for package in (BASE / "var/cache/apt/archives").glob("*.deb"):
        shutil.move(package, PACKAGES)
    (BASE / "etc/apt/apt.conf.d/90no-recommends").write_text('APT::Install-Recommends "0";\n')
    (BASE / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/packages ./\n")
    done.write_text(BARE + repr(wanted))


def packages(binaries):
    for old in PACKAGES.glob("railgun*.deb"):
        old.unlink()
    made = run(ROOT / "deploy/packages/build.sh", binaries, PACKAGES, env={**os.environ, "COMPRESSION": "none"})
    print(made.split("/")[0], end="")
    # Debian's own alone: what is ours is installed from its file.
    for ours in PACKAGES.glob("*-dbgsym_*.deb"):
        ours.unlink()
    listed = run("apt-ftparchive", "packages", ".", cwd=PACKAGES)
    kept = [part for part in listed.split("\n\n") if not part.startswith("Package: railgun")]
    (PACKAGES / "Packages").write_text("\n\n".join(kept))
    mounted = BASE / "srv/packages"
    mounted.mkdir(exist_ok=True)
    run("mount", "--bind", PACKAGES, mounted)
    try:
        run("chroot", BASE, "apt-get", "update")
    finally:
        run("umount", mounted)


def certificates():
    """What an authority that everybody believes would give the two names."""
    authority = ["-CA", RUN / "ca.pem", "-CAkey", RUN / "ca.key"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    run(*new, "-subj", "/CN=an authority", "-keyout", RUN / "ca.key", "-out", RUN / "ca.pem")
    for name in ("voice", "turn"):
        site = f"{name}.example.org"
        names = ["-subj", f"/CN={site}", "-addext", f"subjectAltName=DNS:{site}", "-addext", "basicConstraints=CA:FALSE"]
        run(*new, *names, *authority, "-keyout", RUN / f"{name}.key", "-out", RUN / f"{name}.pem")


def networks():
    ip(f"netns add {NAME}-switch")
    ip(f"-n {NAME}-switch link set lo up")
    for network, address in ROUTER.items():
        ip(f"-n {NAME}-switch link add {network} type bridge")
        ip(f"-n {NAME}-switch address add {address}/24 dev {network}")
        ip(f"-n {NAME}-switch link set {network} up")
    router = ["ip", "netns", "exec", f"{NAME}-switch"]
    run(*router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    # Hosts without a public address reach others' by the router's.
    nat = "type nat hook postrouting priority 100\nip saddr 10.0.0.0/24 oifname public masquerade\n"
    run(*router, "nft", "-f", "-", input=f"table ip nat {{\nchain post {{\n{nat}}}\n}}\n")


def follow(guide, hosts):
    """Types each command where the guide says. Gives what was printed, by command, and how often was typed."""
    printed, typed = [], 0
    with concurrent.futures.ThreadPoolExecutor(len(hosts)) as at_once:
        for number, (names, command) in enumerate(guide.steps, 1):
            started = time.monotonic()
            here = {name: command.replace("PACKAGES", guide.hosts[name]["packages"]) for name in names}
            first = None
            for _ in range(20):
                outcomes = list(at_once.map(lambda name: hosts[name].run(here[name]), names))
                bad = [(name, out) for name, (status, out) in zip(names, outcomes) if status != 0]
                # What has just been started may not be up yet: whoever reads that looks again.
                if not bad or not command.startswith("railgun doctor"):
                    break
                # Each look at a call is a join, and these are limited by the minute: what was said first says most.
                first = first or bad
                time.sleep(1)
            if bad:
                name, output = (first or bad)[0]
                journal = hosts[name].run("journalctl --no-pager -n 40")[1]
                raise SystemExit(f"{number}. {name}: {command}\n{output}\n{journal}")
            typed += len(names)
            printed.append(outcomes[0][1])
            short = command if len(command) < 76 else command[:73] + "..."
            print(f"{number:3} {time.monotonic() - started:5.1f} s  {len(names):2} x {short}", flush=True)
    return printed, typed


def look_at_rights(hosts, printed):
    """What must not be reached is not."""
    asking = "ETCDCTL_API=3 etcdctl --endpoints https://localhost:2379 --cacert /etc/etcd/ca.pem"
    as_media = f'{asking} --user "railgun-media:$(cat /etc/etcd/media.password)"'
    assert "eu-1" in hosts["etcd-1"].must(f"{as_media} get --prefix --keys-only /rg/v1/node/"), "nodes are there"
    for forbidden in ("get --prefix /rg/v1/rec/", "put /rg/v1/rec/ban/x y", "get /rg/v1/session/x"):
        status, output = hosts["etcd-1"].run(f"{as_media} {forbidden}")
        assert status != 0 and "permission denied" in output, f"{forbidden}: {output}"
    status, _ = hosts["etcd-1"].run(f"{asking} get /rg/v1/node/")
    assert status != 0, "etcd answers without a password"
    for address in ("10.0.0.41/2379", "10.0.0.31/50051", "10.0.0.11/8081"):
        stranger = ["ip", "netns", "exec", f"{NAME}-client-eu", "timeout", "2", "bash", "-c", f"</dev/tcp/{address}"]
        assert subprocess.run(stranger, capture_output=True).returncode == 124, f"a stranger reaches {address}"
    # Each unit's process is its own user's.
    for name, unit in (("control-2", "railgun-control"), ("us-2", "railgun-media")):
        assert hosts[name].must(f"ps -o user= -C {unit}").strip() == "railgun"


def ask_operators(printed, path):
    token = re.search(r"shown this once: (\w+)", "\n".join(printed))[1]
    ask = ["curl", "--silent", "--fail", "--max-time", "5", "-H", f"Authorization: Bearer {token}"]
    return json.loads(run("ip", "netns", "exec", f"{NAME}-prometheus", *ask, f"http://10.0.0.11:8081/v1/{path}"))


def call(hosts, printed):
    """People in both regions and one behind a firewall talk; then somebody of the other region opens a channel."""
    make = "railgun token --key /etc/railgun/token.key --tier pro --ttl 3600"
    people = []
    for name, region, at in (("Ada", "eu", "client-eu"), ("Ben", "us", "client-us"), ("Cleo", "eu", "client-closed")):
        token = hosts["control-1"].must(f"{make} --user {name.lower()} --name {name} --region {region}").strip()
        people.append({"name": name, "token": token, "on": ["ip", "netns", "exec", f"{NAME}-{at}"]})
    settings = {"url": "https://voice.example.org", "people": people, "folder": str(RUN)}
    talk = subprocess.Popen(
        ["node", str(ROOT / "tests/guide/call.mjs"), json.dumps(settings)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    nodes = {}
    try:
        for line in talk.stdout:
            print("   ", line.strip(), flush=True)
            if match := re.match(r"talking in (\w+)", line):
                nodes[match[1]] = ask_operators(printed, f"rooms/{match[1]}")["node"]
                talk.stdin.write("seen\n")
                talk.stdin.flush()
        assert talk.wait() == 0, "the call failed"
    finally:
        talk.kill()
    assert nodes["lobby"].startswith("eu-") and nodes["garden"].startswith("us-"), nodes
    return nodes


def main(binaries):
    guide = Guide()
    assert len(guide.hosts) == 11, guide.hosts
    print(f"{len(guide.hosts)} hosts, {len(guide.steps)} commands")
    assert len(guide.steps) <= COMMANDS_MAX, "too many commands"
    began = time.monotonic()
    bare_root(guide)
    RUN.mkdir(parents=True)
    hosts = {name: Host(name, facts) for name, facts in guide.hosts.items()}
    try:
        packages(binaries)
        certificates()
        anchor = BASE / "usr/local/share/ca-certificates/test.crt"
        shutil.copy(RUN / "ca.pem", anchor)
        run("chroot", BASE, "update-ca-certificates")
        networks()
        client(f"{NAME}-prometheus", "private", PROMETHEUS)
        for name, address in CLIENTS.items():
            client(f"{NAME}-{name}", "public", address)
            names = pathlib.Path(f"/etc/netns/{NAME}-{name}")
            names.mkdir(parents=True)
            (names / "hosts").write_text(f"127.0.0.1 localhost\n{sites(guide)}")
        ip(f"-n {NAME}-client-closed rule add ipproto udp prohibit")
        key = RUN / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        for host in hosts.values():
            host.prepare(guide, key)
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            list(at_once.map(Host.boot, hosts.values()))
        prepared = time.monotonic()
        print(f"bare hosts are up after {prepared - began:.0f} s")
        printed, typed = follow(guide, hosts)
        followed = time.monotonic()
        look_at_rights(hosts, printed)
        nodes = call(hosts, printed)
        print(
            f"{len(guide.steps)} commands, typed {typed} times on {len(hosts)} hosts, took {followed - prepared:.0f} s; "
            f"the call was on {nodes['lobby']}, the other one on {nodes['garden']}; {time.monotonic() - began:.0f} s in all"
        )
    finally:
        with concurrent.futures.ThreadPoolExecutor(len(hosts)) as at_once:
            list(at_once.map(Host.end, hosts.values()))
        for name in ("switch", "prometheus", *CLIENTS):
            subprocess.run(["ip", "netns", "delete", f"{NAME}-{name}"], capture_output=True)
            shutil.rmtree(f"/etc/netns/{NAME}-{name}", ignore_errors=True)
        if not os.environ.get("KEEP"):
            shutil.rmtree(RUN, ignore_errors=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
