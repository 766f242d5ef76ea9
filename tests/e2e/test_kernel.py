# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What only a kernel of its own shows, on one virtual machine: hardened, booted again, looked at, and broken by hand.

RAMPART_E2E_KERNEL_LAB names a machine of your own that is hardened and booted: it is used and left as it is.
RAMPART_LAB_RELEASE chooses the Debian release of the test's own (12, the default, or 13).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from . import kernel_machine, kill_rate
from .agent import Agent, AgentError, Measurer
from .fleet import Fleet
from .kernel_machine import ASKING, HOST, ROLES, Phases
from .mutation import FOLDER, Bench, Mutation, area, first_of_each_family, load

pytestmark = pytest.mark.qemu

MUTATIONS = load(FOLDER / "kernel")
#: What is looked at: the families that a mutation is about, and what notices one from another side. Containers show the
#: rest, and a look at all of it takes minutes here.
_AREAS = frozenset(area(control) for each in MUTATIONS for control in each.controls)
_ALSO = frozenset(control for each in MUTATIONS for control in each.also)
_OWN_LAB = os.environ.get("RAMPART_E2E_KERNEL_LAB")
_NOBODY = "setpriv --reuid=nobody --regid=nogroup --clear-groups"


@pytest.fixture(scope="module")
def phases() -> Phases:
    """How long each step takes; the last test prints it."""
    return Phases()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, phases: Phases) -> Iterator[Fleet]:
    """The machine, hardened; it is removed whatever happens."""
    folder = tmp_path_factory.mktemp("kernel")
    if _OWN_LAB:
        yield kernel_machine.fleet(_OWN_LAB, folder)
        return
    with kernel_machine.running(folder, phases) as machine:
        with phases.of("harden"):
            kernel_machine.harden(machine, ROLES)
        yield machine


def test_a_second_run_changes_nothing(machine: Fleet, phases: Phases) -> None:
    with phases.of("harden again"):
        assert kernel_machine.harden(machine, ASKING) == 0


def test_no_file_system_appears_over_files_in_use_before_the_boot(machine: Fleet) -> None:
    if not _OWN_LAB:
        machine.shell(HOST, "systemd-run --quiet --wait --property=PrivateTmp=yes true; ! mountpoint --quiet /tmp")


@pytest.fixture(scope="module")
def hardened(machine: Fleet, phases: Phases) -> dict[str, str]:
    """The states of the machine before it boots, by the action plugin."""
    if _OWN_LAB:
        return {}
    with phases.of("measure"):
        return by_ansible(machine)


@pytest.fixture(scope="module")
def measurer(machine: Fleet, hardened: dict[str, str], phases: Phases) -> Iterator[Measurer]:
    """The machine once it has booted again, as a measurer sees it."""
    if not _OWN_LAB:
        with phases.of("boot"):
            kernel_machine.boot_again(machine)
    with Agent(machine.lab, HOST) as agent:
        yield Measurer(agent, machine.modes()[HOST], roles=ROLES)


@pytest.fixture(scope="module")
def healthy(hardened: dict[str, str], measurer: Measurer, phases: Phases) -> dict[str, str]:
    """The states of the machine after the boot, before anything is broken."""
    with phases.of("measure"):
        booted = looked_at(measurer)
    lost = {name: state for name, state in booted.items() if hardened.get(name) == "pass" and state != "pass"}
    assert not lost, f"the boot took back what the hardening had reached: {lost}"
    return booted


def test_what_waited_for_the_boot_is_there(healthy: dict[str, str]) -> None:
    waited = {name: healthy[name] for name in ("RMP-MNT-003", "RMP-BOOT-002", "RMP-BOOT-004", "RMP-BOOT-013")}
    assert set(waited.values()) == {"pass"}, waited


@pytest.fixture(scope="module")
def agent(measurer: Measurer) -> Agent:
    """The connection to the hardened machine."""
    return measurer.agent


def test_the_kernel_gives_little_away(agent: Agent) -> None:
    least = {
        "kernel.kptr_restrict": 1,
        "kernel.dmesg_restrict": 1,
        "kernel.randomize_va_space": 2,
        "kernel.unprivileged_bpf_disabled": 1,
        "fs.protected_symlinks": 1,
        "fs.protected_hardlinks": 1,
        "kernel.yama.ptrace_scope": 1,
        "kernel.kexec_load_disabled": 1,
        "kernel.panic": 1,
    }
    lines = agent.shell(f"sysctl {' '.join(least)}").splitlines()
    found = {name.strip(): int(value) for name, _, value in (line.partition("=") for line in lines)}
    assert {name: value for name, value in found.items() if value < least[name]} == {}
    assert set(found) == set(least)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"{_NOBODY} dmesg", id="reads the kernel's log"),
        pytest.param(f"{_NOBODY} unshare --user true", id="is root in a namespace"),
    ],
)
def test_an_ordinary_user_may_not(agent: Agent, script: str) -> None:
    assert refused(agent, script)


def test_the_memory_of_a_crashed_service_goes_nowhere(agent: Agent) -> None:
    assert agent.shell("sysctl -n kernel.core_pattern").strip() == "|/bin/false"
    agent.shell("sh -c 'cd /var/tmp && ulimit -c unlimited && kill -SEGV $$' || true")
    assert refused(agent, "ls /var/tmp/core*")


def test_an_unsigned_module_is_refused(agent: Agent) -> None:
    # Without the signature that stands at its end the module is the same code from nobody.
    agent.shell(
        "path=$(modinfo --field filename dummy); "
        'head --bytes $(($(stat --format %s "$path") - 28)) "$path" > /var/tmp/unsigned.ko'
    )
    assert "key" in refused(agent, "insmod /var/tmp/unsigned.ko").lower()
    assert "dummy" not in loaded(agent)
    agent.shell("rm /var/tmp/unsigned.ko")


def test_blocked_modules_cannot_be_loaded(agent: Agent) -> None:
    blocked = {"dccp", "sctp", "freevxfs", "udf", "ax25", "overlay"}
    # A kernel without the module would prove nothing.
    agent.shell(f"modinfo {' '.join(sorted(blocked))} > /dev/null")
    agent.shell(f"for module in {' '.join(sorted(blocked))}; do modprobe $module || true; done")
    assert not loaded(agent) & blocked


def test_the_kernel_records_who_changes_accounts(agent: Agent) -> None:
    status = dict(line.split(maxsplit=1) for line in agent.shell("auditctl -s").splitlines() if " " in line)
    assert status["enabled"] in ("1", "2")
    assert int(status["pid"]) > 0
    name = f"m{uuid.uuid4().hex[:8]}"
    agent.shell(f"useradd --no-create-home {name}")
    try:
        assert "useradd" in recorded(agent, "--key identity")
    finally:
        agent.shell(f"userdel {name}")


def test_a_refusal_and_a_set_id_program_leave_a_record_of_who_it_was(agent: Agent) -> None:
    login = "systemd-run --quiet --wait --pipe --property=PAMName=login --uid=ops sh -c"
    agent.shell(f"{login} 'cat /etc/shadow; passwd --status' || true")
    assert "/etc/shadow" in recorded(agent, "--key access")
    # Of all rules that are about it the first one gives its key.
    assert " auid=ops " in recorded(agent, "--executable /usr/bin/passwd")


def test_the_next_boot_loads_the_same_rules(agent: Agent) -> None:
    assert agent.shell("augenrules --check").strip().endswith("No change")


def test_a_journal_that_starts_again_leaves_the_audit_on(agent: Agent) -> None:
    agent.shell("systemctl restart systemd-journald.service")
    assert "enabled 1" in agent.shell("auditctl -s").splitlines()


def test_the_records_are_for_administrators(agent: Agent) -> None:
    assert int(agent.shell("stat --format %a /var/log/audit/audit.log"), 8) & 0o007 == 0


def looked_at(measurer: Measurer) -> dict[str, str]:
    """The states that this file is about, by the agent."""
    names = [str(entry.control["id"]) for entry in measurer.entries]
    return measurer.states({name for name in names if area(name) in _AREAS or name in _ALSO})


def by_ansible(machine: Fleet) -> dict[str, str]:
    """The same states, as a person would ask for them."""
    return machine.states(HOST, roles=",".join(ROLES), areas=",".join(sorted(_AREAS)), ids=",".join(sorted(_ALSO)))


def refused(agent: Agent, script: str) -> str:
    """What a script says that must fail."""
    with pytest.raises(AgentError) as caught:
        agent.shell(script)
    return str(caught.value)


def loaded(agent: Agent) -> set[str]:
    """The modules that the kernel has."""
    return {line.split()[0] for line in agent.shell("cat /proc/modules").splitlines()}


def recorded(agent: Agent, about: str) -> str:
    """What auditd wrote down in the last minutes."""
    return agent.shell(f"sleep 2; ausearch --input-logs {about} --start recent --interpret")


@pytest.fixture(scope="module")
def bench(machine: Fleet, measurer: Measurer, healthy: dict[str, str]) -> Bench:
    """A look at everything takes long on this machine: the first mutation gets one, by both ways of measuring, and so
    does the healed machine at the end. The first of a family gets a look at it, the others at what they name."""
    first, of_family = MUTATIONS[0].name, first_of_each_family(MUTATIONS)

    def scope(mutation: Mutation) -> frozenset[str]:
        if mutation.name == first:
            return frozenset(healthy)
        family = {name for name in healthy if mutation.name in of_family and area(name) == mutation.family}
        return frozenset(family.union(mutation.controls, mutation.also))

    return Bench(measurer, healthy, lambda: by_ansible(machine), lambda mutation: mutation.name == first, scope)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{each.file}: {each.name}" for each in MUTATIONS])
def test_a_broken_kernel_is_seen(bench: Bench, mutation: Mutation, phases: Phases) -> None:
    with phases.of("mutations"):
        outcome = bench.try_out(mutation)
    print(f"{outcome.seconds:.1f} s")
    assert not outcome.problems, f"{mutation.file}: {mutation.name!r}:\n" + "\n".join(outcome.problems)


def test_healing_leaves_the_kernel_as_it_was(measurer: Measurer, healthy: dict[str, str], phases: Phases) -> None:
    with phases.of("measure"):
        assert looked_at(measurer) == healthy


def test_every_control_that_passes_is_broken_by_a_mutation(
    healthy: dict[str, str], phases: Phases, capsys: pytest.CaptureFixture[str]
) -> None:
    passing = {name for name, state in healthy.items() if state == "pass"}
    elsewhere = load(FOLDER)
    with capsys.disabled():
        print(f"\n{kill_rate.table(passing, MUTATIONS, elsewhere)}\n\n{phases}")
    lacking = kill_rate.unbroken(passing, [*MUTATIONS, *elsewhere]) - kill_rate.missing()
    assert not lacking, f"no mutation breaks {', '.join(sorted(lacking))}"
