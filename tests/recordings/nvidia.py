# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A node of NVIDIA GPUs as its tools would tell of it: written from the documented format, and no copy of a machine's.

Every value is a text by its XML path, so that a test changes one and everything else stays. The identifiers say that
they are not real.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from xml.etree import ElementTree

BUSES = ("1b", "29", "45", "4e", "9b", "a9", "c5", "ce")
LINKS, LINK_SPEED = 18, "26.562"

_GPU: dict[str, str] = {
    "product_name": "NVIDIA H200",
    "product_brand": "NVIDIA",
    "product_architecture": "Hopper",
    "display_mode": "Requested functionality has been deprecated",
    "display_attached": "No",
    "display_active": "Disabled",
    "persistence_mode": "Enabled",
    "mig_mode/current_mig": "Disabled",
    "mig_mode/pending_mig": "Disabled",
    "mig_devices": "None",
    "accounting_mode": "Enabled",
    "accounting_mode_buffer_size": "4000",
    "vbios_version": "96.00.A5.00.03",
    "gpu_virtualization_mode/virtualization_mode": "None",
    "gpu_recovery_action": "None",
    "gsp_firmware_version": "580.159.03",
    "pci/pci_gpu_link_info/pcie_gen/max_link_gen": "5",
    "pci/pci_gpu_link_info/pcie_gen/current_link_gen": "5",
    "pci/pci_gpu_link_info/pcie_gen/max_host_link_gen": "N/A",
    "pci/pci_gpu_link_info/link_widths/max_link_width": "16x",
    "pci/pci_gpu_link_info/link_widths/current_link_width": "16x",
    "pci/replay_counter": "0",
    "fan_speed": "N/A",
    "performance_state": "P0",
    "clocks_event_reasons/clocks_event_reason_gpu_idle": "Not Active",
    "clocks_event_reasons/clocks_event_reason_sw_power_cap": "Not Active",
    "clocks_event_reasons/clocks_event_reason_hw_slowdown": "Not Active",
    "clocks_event_reasons/clocks_event_reason_hw_thermal_slowdown": "Not Active",
    "clocks_event_reasons/clocks_event_reason_hw_power_brake_slowdown": "Not Active",
    "clocks_event_reasons/clocks_event_reason_sw_thermal_slowdown": "Not Active",
    "fb_memory_usage/total": "143771 MiB",
    "fb_memory_usage/reserved": "614 MiB",
    "fb_memory_usage/used": "120000 MiB",
    "cc_protected_memory_usage/total": "0 MiB",
    "compute_mode": "Exclusive_Process",
    "utilization/gpu_util": "97 %",
    "ecc_mode/current_ecc": "Enabled",
    "ecc_mode/pending_ecc": "Enabled",
    "ecc_errors/volatile/sram_correctable": "0",
    "ecc_errors/volatile/sram_uncorrectable_parity": "0",
    "ecc_errors/volatile/sram_uncorrectable_secded": "0",
    "ecc_errors/volatile/dram_correctable": "0",
    "ecc_errors/volatile/dram_uncorrectable": "0",
    "ecc_errors/aggregate/sram_correctable": "0",
    "ecc_errors/aggregate/sram_uncorrectable_parity": "0",
    "ecc_errors/aggregate/sram_uncorrectable_secded": "0",
    "ecc_errors/aggregate/dram_correctable": "0",
    "ecc_errors/aggregate/dram_uncorrectable": "0",
    "ecc_errors/aggregate/sram_threshold_exceeded": "No",
    "ecc_errors/channel_repair_pending": "No",
    "ecc_errors/tpc_repair_pending": "No",
    "ecc_errors/unrepairable_memory": "No",
    "retired_pages/multiple_single_bit_retirement/retired_count": "N/A",
    "retired_pages/double_bit_retirement/retired_count": "N/A",
    "retired_pages/pending_retirement": "N/A",
    "remapped_rows/remapped_row_corr": "0",
    "remapped_rows/remapped_row_unc": "0",
    "remapped_rows/remapped_row_pending": "No",
    "remapped_rows/remapped_row_failure": "No",
    "remapped_rows/row_remapper_histogram/row_remapper_histogram_max": "3072 bank(s)",
    "remapped_rows/row_remapper_histogram/row_remapper_histogram_none": "0 bank(s)",
    "temperature/gpu_temp": "58 C",
    "temperature/gpu_temp_tlimit": "29 C",
    "temperature/gpu_temp_max_tlimit_threshold": "-8 C",
    "temperature/gpu_temp_slow_tlimit_threshold": "-2 C",
    "temperature/gpu_temp_max_gpu_tlimit_threshold": "0 C",
    "temperature/memory_temp": "62 C",
    "gpu_power_readings/instant_power_draw": "612.40 W",
    "gpu_power_readings/current_power_limit": "700.00 W",
    "gpu_power_readings/default_power_limit": "700.00 W",
    "clocks/sm_clock": "1755 MHz",
    "applications_clocks/graphics_clock": "Requested functionality has been deprecated",
    "max_clocks/sm_clock": "1980 MHz",
    "fabric/state": "Completed",
    "fabric/status": "Success",
    "fabric/health/summary": "Healthy",
}

# What v12 calls otherwise, or does not have; None leaves it out.
_V12: dict[str, str | None] = {
    "gpu_recovery_action": None,
    "gpu_power_readings/instant_power_draw": "gpu_power_readings/power_draw",
    "ecc_errors/volatile/sram_uncorrectable_parity": "ecc_errors/volatile/sram_uncorrectable",
    "ecc_errors/volatile/sram_uncorrectable_secded": None,
    "ecc_errors/aggregate/sram_uncorrectable_parity": "ecc_errors/aggregate/sram_uncorrectable",
    "ecc_errors/aggregate/sram_uncorrectable_secded": None,
    "ecc_errors/aggregate/sram_threshold_exceeded": None,
    "ecc_errors/channel_repair_pending": None,
    "ecc_errors/tpc_repair_pending": None,
    "ecc_errors/unrepairable_memory": None,
    "fabric/health/summary": None,
}
# v11 calls event reasons by their older name, and knows no fabric.
_V11: dict[str, str | None] = {
    **{
        path: path.replace("clocks_event_reason", "clocks_throttle_reason")
        for path in _GPU
        if path.startswith("clocks_event_reasons/")
    },
    **{path: path.replace("gpu_power_readings/", "power_readings/") for path in _GPU if path.startswith("gpu_power")},
    "gpu_power_readings/instant_power_draw": "power_readings/power_draw",
    "gpu_power_readings/current_power_limit": "power_readings/enforced_power_limit",
    "fabric/state": None,
    "fabric/status": None,
    "cc_protected_memory_usage/total": None,
}


def _gpu(number: int) -> dict[str, str]:
    return {
        **_GPU,
        "serial": f"SIMULATED{number}",
        "uuid": f"GPU-00000000-0000-0000-0000-00000000000{number}",
        "minor_number": str(number),
    }


@dataclass
class NvidiaNode:
    """What the tools of a node say; `gpus` are texts by XML path, `processes` those of each GPU."""

    driver: str = "580.159.03"
    cuda: str = "13.0"
    dtd: int = 13
    gpus: list[dict[str, str]] = field(default_factory=lambda: [_gpu(number) for number in range(len(BUSES))])
    processes: list[list[dict[str, str]]] = field(default_factory=lambda: [[] for _bus in BUSES])
    inforom: list[str] = field(default_factory=lambda: ["valid" for _bus in BUSES])
    #: Numbers of links that are down, by GPU
    links_down: dict[int, list[int]] = field(default_factory=dict)
    clocks_listed: int = 100

    def copy(self) -> NvidiaNode:
        """The same node, to be changed."""
        return copy.deepcopy(self)

    def every(self, path: str, text: str | None) -> NvidiaNode:
        """Say something of every GPU; None leaves the element out."""
        for gpu in self.gpus:
            _say(gpu, path, text)
        return self

    def one(self, path: str, text: str | None, number: int = 3) -> NvidiaNode:
        """Say something of one GPU."""
        _say(self.gpus[number], path, text)
        return self

    def divided(self) -> NvidiaNode:
        """All GPUs divided by MIG, which hides some of what they tell."""
        self.every("mig_mode/current_mig", "Enabled").every("mig_mode/pending_mig", "Enabled")
        self.every("utilization/gpu_util", "N/A").every("accounting_mode", "N/A")
        for gpu in self.gpus:
            for path in [path for path in gpu if path.startswith("remapped_rows/")]:
                del gpu[path]
        return self.every("remapped_rows", "N/A")

    def older(self, dtd: int) -> NvidiaNode:
        """The node as a driver of an earlier format tells of it."""
        renames = {12: _V12, 11: {**_V12, **_V11}}[dtd]
        self.dtd, self.driver = dtd, {12: "535.309.01", 11: "525.147.05"}[dtd]
        for number, gpu in enumerate(self.gpus):
            gpu["gsp_firmware_version"] = self.driver
            names = {path: renames.get(path, path) for path in gpu}
            self.gpus[number] = {name: gpu[path] for path, name in names.items() if name is not None}
        return self

    def bus_id(self, number: int) -> str:
        """The address of a GPU as nvidia-smi writes it."""
        return f"00000000:{BUSES[number].upper()}:00.0"

    def xml(self) -> str:
        """What `nvidia-smi -q -x` prints."""
        root = ElementTree.Element("nvidia_smi_log")
        for name, text in (("driver_version", self.driver), ("cuda_version", self.cuda)):
            ElementTree.SubElement(root, name).text = text
        ElementTree.SubElement(root, "attached_gpus").text = str(len(self.gpus))
        for number, gpu in enumerate(self.gpus):
            root.append(self._gpu_element(number, gpu))
        ElementTree.indent(root, "\t")
        head = f'<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v{self.dtd}.dtd">\n'
        return head + ElementTree.tostring(root, encoding="unicode") + "\n"

    def _gpu_element(self, number: int, gpu: dict[str, str]) -> ElementTree.Element:
        element = ElementTree.Element("gpu", id=self.bus_id(number))
        for path, text in gpu.items():
            _at(element, path).text = text
        clocks = _at(element, "supported_clocks/supported_mem_clock")
        for step in range(self.clocks_listed):
            ElementTree.SubElement(clocks, "supported_graphics_clock").text = f"{1980 - 15 * step} MHz"
        processes = _at(element, "processes")
        for process in self.processes[number]:
            info = ElementTree.SubElement(processes, "process_info")
            for name, text in process.items():
                ElementTree.SubElement(info, name).text = text
        return element

    def inforom_csv(self) -> str:
        """What the query of the inforom prints."""
        rows = [f"{self.bus_id(number)}, {state}" for number, state in enumerate(self.inforom)]
        return "\n".join(["pci.bus_id, inforom.checksum_validation", *rows]) + "\n"

    def nvlink(self) -> str:
        """What `nvidia-smi nvlink -s` prints."""
        lines = []
        for number, gpu in enumerate(self.gpus):
            lines.append(f"GPU {number}: {gpu['product_name']} (UUID: {gpu['uuid']})")
            down = self.links_down.get(number, [])
            lines += [
                f"\t Link {link}: " + ("<inactive>" if link in down else f"{LINK_SPEED} GB/s") for link in range(LINKS)
            ]
        return "\n".join(lines) + "\n"

    def process(self, number: int, pid: int, name: str, kind: str = "C") -> NvidiaNode:
        """A process that uses a GPU."""
        told = {"pid": str(pid), "type": kind, "process_name": name, "used_memory": "4096 MiB"}
        self.processes[number].append({"gpu_instance_id": "N/A", "compute_instance_id": "N/A", **told})
        return self


def _say(gpu: dict[str, str], path: str, text: str | None) -> None:
    if text is None:
        del gpu[path]
    else:
        gpu[path] = text


def _at(element: ElementTree.Element, path: str) -> ElementTree.Element:
    for name in path.split("/"):
        found = element.find(name)
        element = ElementTree.SubElement(element, name) if found is None else found
    return element
