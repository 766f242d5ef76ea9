# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Asking the GPU tools of a host: once in a run each, within a time limit; an answer is understood or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, TypeVar

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.amd_smi import AmdGpu, parse_amd_smi
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.dcgm import Diagnosis, parse_diag
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu, SmiLog
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvlink import GpuLinks, parse_nvlink
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_csv import parse_query_csv
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_xml import parse_smi_xml
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid import XidEvent, parse_xids
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, Host
from ansible_collections.rampart.fleet.plugins.module_utils.workload.facts import gpus_on_bus, has_gpu, in_container

T = TypeVar("T")

# Without the persistence daemon every call wakes all GPUs first: seconds each on a host of eight.
_TOOL_S = 30.0
_LOG_S = 20.0
# nvidia-smi(1): it answered, and warns that the inforom of a GPU is damaged, which has a control of its own.
_DAMAGED_INFOROM = 14
# The packages of ROCm put their tools where no shell looks.
_AMD_SMI = ("amd-smi", "/opt/rocm/bin/amd-smi")
_CSV_ONLY = ("pci.bus_id", "inforom.checksum_validation")


def require_nvidia(host: Host) -> None:
    """Raise Absent when the host has no NVIDIA GPU, with or without a driver."""
    if not has_gpu(host, "nvidia"):
        raise Absent("the host has no NVIDIA GPU: none on the PCI bus, and no /dev/nvidiactl")


def require_amd(host: Host) -> None:
    """Raise Absent when the host has no AMD GPU for computing."""
    if not has_gpu(host, "amd"):
        raise Absent("the host has no AMD GPU: none on the PCI bus, and no /dev/kfd")


def smi_log(host: Host) -> SmiLog:
    """Return what the NVIDIA driver says of all GPUs.

    Absent without a GPU; ProbeError when the tool is missing, fails, or prints what cannot be understood.
    """
    require_nvidia(host)
    return host.once("nvidia-smi -q -x", lambda: _smi_log(host))


def inforom_checksums(host: Host) -> dict[str, str | Unavailable]:
    """Return the state of each GPU's inforom by bus id, which the XML does not tell."""
    require_nvidia(host)
    return host.once("inforom checksums", lambda: _inforom(host))


def nvlinks(host: Host) -> tuple[GpuLinks, ...]:
    """Return the NVLinks of each GPU."""
    require_nvidia(host)

    def ask() -> tuple[GpuLinks, ...]:
        answer = _run(host, ["nvidia-smi", "nvlink", "-s"])
        return _understood(lambda: parse_nvlink(answer.stdout))

    return host.once("nvidia-smi nvlink -s", ask)


def lost_on_bus(host: Host) -> list[str]:
    """Return the PCI addresses of GPUs that are on the bus and that the driver does not tell of."""
    told = {short_bus_id(gpu.bus_id) for gpu in smi_log(host).gpus}
    return [address for address in gpus_on_bus(host, "nvidia") if short_bus_id(address) not in told]


def short_bus_id(text: str) -> str:
    """Return a PCI address as the kernel writes it; nvidia-smi writes the domain with eight digits."""
    return text.lower()[-len("0000:00:00.0") :]


def amd_gpus(host: Host) -> tuple[AmdGpu, ...]:
    """Return what the AMD driver says of all GPUs."""
    require_amd(host)

    def ask() -> tuple[AmdGpu, ...]:
        tool = next((each for each in _AMD_SMI if host.which(each)), _AMD_SMI[0])
        static, metric = _run(host, [tool, "static", "--json"]), _run(host, [tool, "metric", "--json"])
        return _understood(lambda: parse_amd_smi(static.stdout, metric.stdout))

    return host.once("amd-smi", ask)


def xid_events(host: Host, hours: int) -> tuple[XidEvent, ...]:
    """Return the error reports of the last hours from the kernel's messages in the journal.

    Absent in a container, which does not see them; ProbeError when the journal has no message of the kernel at all:
    a log that is not kept reads like one without errors.
    """
    if in_container(host):
        raise Absent("a container does not see the messages of the kernel")
    any_line = host.run(["journalctl", "_TRANSPORT=kernel", "--lines=1", "--output=cat", "--quiet"], timeout=_LOG_S)
    if any_line.rc != 0 or not any_line.stdout.strip():
        raise ProbeError("the journal has no message of the kernel: errors of GPUs cannot be told")
    answer = host.run(
        [
            *("journalctl", "_TRANSPORT=kernel", f"--since=-{hours}h", "--output=short-unix", "--quiet", "--no-pager"),
            "--grep=Xid",
        ],
        timeout=_LOG_S,
    )
    # With --grep, journalctl ends with 1 when nothing matches.
    if answer.rc not in (0, 1) or answer.stderr.strip():
        answer.require_ok()
        raise ProbeError(f"journalctl: {answer.stderr.strip()[-200:]}")
    return parse_xids(answer.stdout.splitlines())


def diagnose(host: Host, level: int, timeout: float) -> Diagnosis:
    """Return what the vendor's diagnostics of a level came to. They load the GPUs from level 2 on."""
    answer = host.run(["dcgmi", "diag", "-r", str(level), "-j"], timeout=timeout)
    # It ends with another status when a test fails, which is an answer.
    return _understood(lambda: parse_diag(answer.stdout or answer.stderr))


def _smi_log(host: Host) -> SmiLog:
    answer = _run(host, ["nvidia-smi", "-q", "-x"])
    return _understood(lambda: parse_smi_xml(answer.stdout.encode()))


def _inforom(host: Host) -> dict[str, str | Unavailable]:
    answer = host.run(["nvidia-smi", "--query-gpu=" + ",".join(_CSV_ONLY), "--format=csv"], timeout=_TOOL_S)
    if "not a valid field" in answer.stdout + answer.stderr:
        return {}
    table = _understood(lambda: parse_query_csv(_accepted(answer).stdout))
    return {gpu.bus_id: gpu.inforom_checksum for gpu in table}


def with_inforom(host: Host, gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Return the GPUs with the state of their inforom."""
    known = inforom_checksums(host)
    missing = Unavailable("not_reported")
    return tuple(replace(gpu, inforom_checksum=known.get(gpu.bus_id, missing)) for gpu in gpus)


def _run(host: Host, argv: list[str]) -> CommandResult:
    return _accepted(host.run(argv, timeout=_TOOL_S))


def _accepted(answer: CommandResult) -> CommandResult:
    if answer.rc not in (0, _DAMAGED_INFOROM):
        said = (answer.stdout.strip() or answer.stderr.strip() or "nothing").splitlines()[0][:200]
        raise ProbeError(f"'{' '.join(answer.argv)}' ended with status {answer.rc}, wanted 0; it said: {said}")
    return answer


def _understood(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ParseError as error:
        raise ProbeError(str(error)) from None
