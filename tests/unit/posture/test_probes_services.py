"""Units, packages, sources, updates, jobs, banners, radios of recorded hosts; what cannot be told is never good."""

from __future__ import annotations

import json
import stat
import time

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apt_pending import apt_pending
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apt_sources import apt_releases, apt_sources
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.listening_sockets import listening_sockets
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.login_banner import login_banner
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import packages, packages_unfinished
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.radios import usb_policy, wireless
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.scheduled_jobs import crontabs, job_users
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.time_sync import time_sources
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.units import (
    default_target,
    failed_units,
    unit_files_open,
    units_in_use,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.upgrade_policy import (
    needrestart,
    upgrades_held,
)

from .recorded_host import RecordedHost

LIST = "systemctl list-units --all --no-pager --output=json"
STATUS = "/var/lib/dpkg/status"


def units(**states: str) -> dict[str, str]:
    return {LIST: json.dumps([{"unit": name.replace("_", "."), "active": state} for name, state in states.items()])}


class TestUnits:
    def test_what_runs_and_what_a_target_wants(self) -> None:
        host = RecordedHost(
            commands=units(nginx_service="active", ssh_service="active", nginx_socket="inactive"),
            files={"/lib/systemd/system/nginx.service": "", "/etc/systemd/system/multi-user.target.wants/x": ""},
            links={"/etc/systemd/system/multi-user.target.wants/nginx.service": "/lib/systemd/system/nginx.service"},
        )
        assert units_in_use(host, {"units": ["nginx.*"]}) == {"active": ["nginx.service"], "at_boot": ["nginx.service"]}
        assert units_in_use(host, {"units": ["nginx.*"], "except": ["*.service"]}) == {"active": [], "at_boot": []}

    def test_a_masked_unit_and_a_link_to_nothing_do_not_come_at_boot(self) -> None:
        wants = "/etc/systemd/system/multi-user.target.wants"
        host = RecordedHost(
            commands=units(),
            files={"/lib/systemd/system/nginx.service": ""},
            links={
                f"{wants}/nginx.service": "/lib/systemd/system/nginx.service",
                f"{wants}/gone.service": "/lib/systemd/system/gone.service",
                "/etc/systemd/system/nginx.service": "/dev/null",
            },
        )
        assert units_in_use(host, {"units": ["*"]})["at_boot"] == []

    def test_an_instance_comes_by_its_template_and_a_requirement_counts_as_a_wish(self) -> None:
        host = RecordedHost(
            commands=units(),
            files={"/usr/lib/systemd/system/getty@.service": ""},
            links={
                "/etc/systemd/system/a.target.requires/getty@tty1.service": "/usr/lib/systemd/system/getty@.service"
            },
        )
        assert units_in_use(host, {"units": ["getty@*"]})["at_boot"] == ["getty@tty1.service"]

    @pytest.mark.parametrize("answer", ["", "no json", '[{"unit": "x"}]', "[1]"])
    def test_garbage_is_no_empty_list(self, answer: str) -> None:
        with pytest.raises(ProbeError, match="something else than units"):
            failed_units(RecordedHost(commands={LIST: answer}), {})

    def test_a_manager_that_does_not_answer_is_an_error(self) -> None:
        host = RecordedHost(commands={LIST: (1, "", "Failed to connect to bus")})
        with pytest.raises(ProbeError, match="connect to bus"):
            units_in_use(host, {"units": ["*"]})

    def test_what_failed_is_named(self) -> None:
        assert failed_units(RecordedHost(commands=units(a_service="failed", b_service="active")), {}) == ["a.service"]

    def test_the_goal_of_a_boot_is_a_target(self) -> None:
        good = RecordedHost(commands={"systemctl get-default": "multi-user.target\n"})
        assert default_target(good, {}) == {"target": "multi-user.target"}
        with pytest.raises(ProbeError, match="name of a target"):
            default_target(RecordedHost(commands={"systemctl get-default": ""}), {})

    def test_a_unit_file_that_others_write_is_found_also_as_a_drop_in(self) -> None:
        open_file = FileStat(mode=stat.S_IFREG | 0o664, uid=0, gid=0)
        host = RecordedHost(
            files={"/etc/systemd/system/good.service": ""},
            stats={
                "/etc/systemd/system/x.service.d/y.conf": open_file,
                "/usr/lib/systemd/system/z.service": FileStat(mode=stat.S_IFREG | 0o644, uid=33, gid=0),
                "/dev/null": FileStat(mode=stat.S_IFCHR | 0o666, uid=0, gid=0),
            },
            links={"/etc/systemd/system/masked.service": "/dev/null"},
            users={0: "root", 33: "www-data"},
        )
        found = unit_files_open(host, {})
        assert [match["path"] for match in found["matches"]] == [
            "/etc/systemd/system/x.service.d/y.conf",
            "/usr/lib/systemd/system/z.service",
        ]
        assert found["scanned"] >= 3


PACKAGES = "\n\n".join(
    f"Package: {name}\nStatus: {status}\nVersion: 1\nArchitecture: all"
    for name, status in [
        ("nginx", "install ok installed"),
        ("telnet", "deinstall ok config-files"),
        ("libnccl2", "install ok installed"),
        ("nvidia-driver", "install ok installed"),
        ("cuda-libs", "hold ok installed"),
        ("broken", "install reinstreq half-installed"),
    ]
)


class TestPackages:
    def test_patterns_name_what_is_installed_and_not_what_was(self) -> None:
        host = RecordedHost(files={STATUS: PACKAGES})
        assert packages(host, {"globs": ["nginx*", "telnet"]}) == ["nginx"]

    def test_an_empty_database_is_an_error_and_never_a_host_without_packages(self) -> None:
        with pytest.raises(ProbeError, match="no installed package"):
            packages(RecordedHost(files={STATUS: ""}), {"globs": ["*"]})

    def test_what_stopped_half_way(self) -> None:
        host = RecordedHost(files={STATUS: PACKAGES})
        assert packages_unfinished(host, {}) == [{"name": "broken", "state": "half-installed"}]

    def test_held_by_dpkg_or_by_the_expressions_of_the_list(self) -> None:
        dump = 'Unattended-Upgrade::Package-Blacklist "";\nUnattended-Upgrade::Package-Blacklist:: "nvidia-";\n'
        host = RecordedHost(files={STATUS: PACKAGES}, commands={"apt-config dump": dump})
        globs = ["nvidia-*", "cuda-*", "libnccl*"]
        assert upgrades_held(host, {"globs": globs}) == {"held": ["cuda-libs", "nvidia-driver"], "open": ["libnccl2"]}

    def test_a_list_that_is_no_expression_is_an_error(self) -> None:
        dump = 'Unattended-Upgrade::Package-Blacklist:: "nvidia-(";\n'
        host = RecordedHost(files={STATUS: PACKAGES}, commands={"apt-config dump": dump})
        with pytest.raises(ProbeError, match="no regular expression"):
            upgrades_held(host, {"globs": ["nvidia-*"]})

    def test_what_needrestart_does_is_what_its_perl_says(self) -> None:
        assert needrestart(RecordedHost(files={STATUS: PACKAGES}), {}) == {"installed": False, "restart": None}
        status = PACKAGES + "\n\nPackage: needrestart\nStatus: install ok installed\nVersion: 3"
        answers = [("a", {"installed": True, "restart": "a"}), ("x", None)]
        for answer, wanted in answers:
            host = PerlHost(answer, files={STATUS: status})
            if wanted:
                assert needrestart(host, {}) == wanted
            else:
                with pytest.raises(ProbeError, match="wanted l, i or a"):
                    needrestart(host, {})


class PerlHost(RecordedHost):
    """Answers every call of perl alike: the script is the probe's own."""

    def __init__(self, answer: str, files: dict[str, str]) -> None:
        super().__init__(files=files)
        self.answer = answer

    def run(self, argv, timeout=5.0, stdin=""):  # type: ignore[no-untyped-def]
        assert argv[0] == "perl"
        self.commands = {tuple(argv): self.answer}
        return super().run(argv, timeout, stdin)


class TestSources:
    def test_both_formats_say_the_same(self) -> None:
        host = RecordedHost(
            files={
                "/etc/apt/sources.list": "#\ndeb [signed-by=/k.gpg] http://deb.debian.org/debian bookworm main # x\n",
                "/etc/apt/sources.list.d/a.sources": (
                    "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm-updates\nComponents: main\n"
                    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x\n\n"
                    "Enabled: no\nTypes: deb\nURIs: http://x\nSuites: y\n"
                ),
                "/etc/apt/sources.list.d/b.list.save": "deb [trusted=yes] http://ignored.example x main\n",
            }
        )
        first, second = apt_sources(host, {})
        assert (first["host"], first["release"], first["signed_by"]) == ("deb.debian.org", "bookworm", ["/k.gpg"])
        assert (second["release"], second["signed_by"]) == ("bookworm", ["in the source itself"])
        assert first["lenient"] == second["lenient"] == []

    @pytest.mark.parametrize("option", ["trusted=yes", "allow-insecure=1", "allow-weak=true", "Trusted=yes"])
    def test_what_lets_anything_through(self, option: str) -> None:
        host = RecordedHost(files={"/etc/apt/sources.list": f"deb [ arch=amd64 {option} ] file:/srv/x ./\n"})
        (found,) = apt_sources(host, {})
        assert (found["lenient"], found["host"], found["release"], found["signed_by"]) == (
            [option.split("=")[0].lower()], "local", None, None,
        )  # fmt: skip

    @pytest.mark.parametrize("line", ["deb http://x", "rubbish", "deb [trusted=yes http://x y z"])
    def test_a_line_that_is_none_is_an_error(self, line: str) -> None:
        with pytest.raises(ProbeError, match="line 1 is no source"):
            apt_sources(RecordedHost(files={"/etc/apt/sources.list": line}), {})

    def test_a_disk_has_blanks_in_its_name(self) -> None:
        host = RecordedHost(files={"/etc/apt/sources.list": "deb cdrom:[Debian GNU/Linux 12]/ bookworm main\n"})
        assert [each["host"] for each in apt_sources(host, {})] == ["local"]

    def test_without_apt_there_is_nothing_to_ask(self) -> None:
        with pytest.raises(Absent):
            apt_sources(RecordedHost(), {})

    def test_releases_besides_the_own_one(self) -> None:
        text = "deb http://deb.debian.org/debian bookworm main\ndeb http://deb.debian.org/debian testing main\n"
        text += "deb http://x.example/ubuntu jammy main\ndeb http://vendor.example stable main\n"
        host = RecordedHost(files={"/etc/apt/sources.list": text, "/etc/os-release": "VERSION_CODENAME=bookworm\n"})
        assert apt_releases(host, {}) == {"own": "bookworm", "foreign": ["jammy", "testing"]}
        nameless = RecordedHost(files={"/etc/apt/sources.list": text, "/etc/os-release": "ID=x\n"})
        with pytest.raises(ProbeError, match="VERSION_CODENAME"):
            apt_releases(nameless, {})


class TestPending:
    COMMAND = "apt-get --simulate --quiet=2 -o Debug::NoLocking=true dist-upgrade"
    SAID = (
        "Inst libssl3 [3.0.11-1~deb12u2] (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64]) []\n"
        "Inst less [590-2] (590-3 Debian:12.8/stable [amd64])\nInst new (1 Debian:12.8/stable [amd64])\n"
        "Conf libssl3 (3.0.15-1~deb12u1 Debian-Security:12/stable-security [amd64])\n"
    )

    def host(self, outcome: object, lists: bool = True, age: float = 3.0) -> RecordedHost:
        then = time.time() - age * 86400
        folder = FileStat(mode=stat.S_IFDIR | 0o755, uid=0, gid=0, mtime=then)
        stats = {"/var/lib/apt/lists": folder, "/etc/apt": folder, "/var/lib/dpkg/info/libssl3:amd64.list": folder}
        files = {"/var/lib/apt/lists/deb_Packages": ""} if lists else {}
        return RecordedHost(files=files, stats=stats, commands={self.COMMAND: outcome})  # type: ignore[dict-item]

    def test_security_is_told_from_the_rest(self) -> None:
        found = apt_pending(self.host(self.SAID), {})
        assert (found["updates"], found["lists_days"]) == (2, 3.0)
        assert found["security"] == [
            {"name": "libssl3", "installed": "3.0.11-1~deb12u2", "candidate": "3.0.15-1~deb12u1", "days": 3.0}
        ]

    def test_without_lists_nothing_is_known(self) -> None:
        with pytest.raises(ProbeError, match="holds no list of packages"):
            apt_pending(self.host("", lists=False), {})

    def test_an_apt_that_fails_is_an_error(self) -> None:
        with pytest.raises(ProbeError, match="conflicting values"):
            apt_pending(self.host((100, "", "E: conflicting values")), {})


class TestJobs:
    def test_who_is_allowed(self) -> None:
        host = RecordedHost(files={"/etc/cron.allow": "root\n# nobody\n\nops\n"})
        assert job_users(host, {"tool": "cron"}) == {"allowed": ["root", "ops"]}
        assert job_users(host, {"tool": "at"}) == {}
        with pytest.raises(ProbeError, match="wanted cron or at"):
            job_users(host, {"tool": "x"})

    def test_a_table_without_a_job_is_none(self) -> None:
        spool = "/var/spool/cron/crontabs"
        host = RecordedHost(files={f"{spool}/root": "# m h\nMAILTO=x\n", f"{spool}/games": "@reboot true\n"})
        assert [table["user"] for table in crontabs(host, {})] == ["games"]
        assert crontabs(RecordedHost(), {}) == []

    def test_a_table_that_cannot_be_read_is_an_error(self) -> None:
        host = RecordedHost(files={"/var/spool/cron/crontabs/root": ProbeError("permission denied")})
        with pytest.raises(ProbeError, match="permission denied"):
            crontabs(host, {})


class TestBanner:
    KERNEL = {"/proc/sys/kernel/osrelease": "6.1.0-1-amd64\n"}

    def test_what_tells_is_named_drop_ins_included(self) -> None:
        files = {"/etc/issue": "Keep out.\n", "/etc/issue.d/x.issue": "\\S{NAME} \\r on 6.1.0-1-amd64 ubuntu\n"}
        found = login_banner(RecordedHost(files={**self.KERNEL, **files}), {"which": "issue"})
        assert found["tells"] == ["6.1.0-1-amd64", "\\S{NAME}", "\\r", "ubuntu"]
        assert found["files"] == ["/etc/issue", "/etc/issue.d/x.issue"]

    def test_no_file_is_no_text(self) -> None:
        found = login_banner(RecordedHost(files=self.KERNEL), {"which": "issue.net"})
        assert (found["text"], found["tells"]) == ("", [])
        with pytest.raises(ProbeError, match="wanted one of"):
            login_banner(RecordedHost(files=self.KERNEL), {"which": "x"})


class TestDevices:
    def test_a_radio_that_is_up(self) -> None:
        files = {
            "/sys/class/net/eth0/flags": "0x1003\n",
            "/sys/class/net/wlan0/flags": "0x1003\n",
            "/sys/class/net/wlan0/phy80211/index": "0\n",
            "/sys/class/net/wlan1/flags": "0x1002\n",
            "/sys/class/net/wlan1/wireless/x": "",
            "/sys/class/bluetooth/hci0/type": "",
        }
        found = wireless(RecordedHost(files=files), {})
        assert (found["up"], found["bluetooth"]) == (["wlan0"], ["hci0"])
        assert [each["name"] for each in found["interfaces"]] == ["wlan0", "wlan1"]

    def test_without_sys_nothing_can_be_told(self) -> None:
        with pytest.raises(ProbeError, match="wanted a mounted /sys"):
            wireless(RecordedHost(), {})

    def test_what_the_ports_take(self) -> None:
        host = RecordedHost(files={"/sys/bus/usb/devices/usb1/authorized_default": "2\n"})
        assert usb_policy(host, {}) == [{"bus": "usb1", "authorized_default": "2"}]


class TestTimeSources:
    SHOW = (
        "Id={0}\nLoadState=loaded\nActiveState={1}\nMainPID={2}\n\n"
    )  # fmt: skip
    UNITS = ("chrony", "systemd-timesyncd", "ntpsec", "ntp", "openntpd")

    def host(self, running: str, **commands: str) -> RecordedHost:
        from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import systemd

        names = [f"{unit}.service" for unit in self.UNITS]
        argv = ("systemctl", "show", "--no-pager", "--property=" + ",".join(systemd._PROPERTIES), "--", *names)
        shown = "".join(
            self.SHOW.format(name, "active" if name.startswith(running) else "inactive", "7") for name in names
        )
        told = {tuple(name.split("_")): text for name, text in commands.items()}
        status = {"/proc/7/status": "Name:\tx\nUid:\t0\t101\t101\t101\n"}
        return RecordedHost(commands={argv: shown, **told}, files=status, users={0: "root", 101: "_chrony"})

    def test_chrony_names_what_was_configured(self) -> None:
        said = "^,*,2.debian.pool.ntp.org,2,6,377\n#,?,PHC0,0,3,377\n^,?,time.example,0,6,0\n"
        host = self.host("chrony", **{"chronyc_-N_-c_sources_-a": said})
        assert time_sources(host, {}) == {
            "service": "chrony.service",
            "names": ["2.debian.pool.ntp.org", "time.example"],
            "user": "_chrony",
        }

    def test_timesyncd_falls_back_only_without_servers(self) -> None:
        said = "SystemNTPServers=a.example b.example\nFallbackNTPServers=c.example\n"
        host = self.host("systemd-timesyncd", **{"timedatectl_show-timesync": said})
        assert time_sources(host, {})["names"] == ["a.example", "b.example"]

    def test_garbage_is_an_error_and_no_service_is_absent(self) -> None:
        with pytest.raises(ProbeError, match="a line that is none"):
            time_sources(self.host("chrony", **{"chronyc_-N_-c_sources_-a": "506 Cannot talk\n"}), {})
        with pytest.raises(Absent):
            time_sources(self.host("nothing"), {})
        with pytest.raises(ProbeError, match="wanted chrony or timesyncd"):
            time_sources(self.host("ntpsec"), {})


def test_listeners_are_limited_by_scope_and_port() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    lines = "".join(
        f"   0: {address}:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
        for address, port in [("0100007F", 8888), ("00000000", 22), ("00000000", 8888)]
    )
    host = RecordedHost(files={"/proc/net/tcp": head + lines, "/proc/1/comm": "init\n"})
    services = [each["service"] for each in listening_sockets(host, {"scope": "network"})]
    assert services == ["tcp/22", "tcp/8888"]
    assert [each["port"] for each in listening_sockets(host, {"below": 1024})] == [22]
    with pytest.raises(ProbeError, match="wanted network or none"):
        listening_sockets(host, {"scope": "moon"})
