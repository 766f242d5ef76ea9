# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A GPU server as the kernel shows it, written here after the documented formats: eight GPUs, each with its network
adapter and an NVMe disk below one PCIe switch, four NVSwitches, two sockets.

Tests change one thing of it and look at what is said then.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.recordings.nvidia import NvidiaNode

from ..posture.recorded_host import Outcome, RecordedHost

PCI = "/sys/bus/pci/devices"
EDAC = "/sys/devices/system/edac/mc"
DMI = "/sys/firmware/dmi/tables/DMI"
FLAWS = "/sys/devices/system/cpu/vulnerabilities"
EFI = "/sys/firmware/efi/efivars"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
GPUS, MODULES, SOCKETS, CORES = 8, 16, 2, 48
GIB_OF_A_MODULE = 64
H100, CONNECTX7, NVSWITCH, NVME = "10DE:2330", "15B3:1021", "10DE:22A3", "144D:A824"


@dataclass
class Machine:
    """Files, links and commands of a host; `host()` gives it to a probe, `write()` puts its files on a disk."""

    files: dict[str, str | bytes | Exception] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    commands: dict[str | tuple[str, ...], Outcome] = field(default_factory=dict)

    def host(self) -> RecordedHost:
        return RecordedHost(files=self.files, links=self.links, commands=self.commands)

    def write(self, root: Path) -> None:
        """Put it below a folder, with the links of sysfs as links, for a reader of real files."""
        for place, target in self.links.items():
            link = root / place[1:]
            link.parent.mkdir(parents=True, exist_ok=True)
            (link.parent / target).mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        for place, content in self.files.items():
            assert not isinstance(content, Exception)
            path = root / place[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def without(self, *prefixes: str) -> None:
        """Take everything below these paths away."""
        for mapping in (self.files, self.links):
            for path in [each for each in mapping if each.startswith(prefixes)]:
                del mapping[path]


def bus(number: int) -> int:
    """The first bus of the tree below one of the root ports."""
    return 0x10 + number * 0x10


def gpu(number: int) -> str:
    return f"0000:{bus(number) + 3:02x}:00.0"


def adapter(number: int) -> str:
    return f"0000:{bus(number) + 4:02x}:00.0"


def disk(number: int) -> str:
    return f"0000:{bus(number) + 5:02x}:00.0"


def bridges(number: int, leaf: int) -> list[str]:
    """The root port, and both ends of the switch on the way to a device."""
    base = bus(number)
    return [f"0000:{base:02x}:01.0", f"0000:{base + 1:02x}:00.0", f"0000:{base + 2:02x}:{leaf:02x}.0"]


def server() -> Machine:
    """The machine as it should be."""
    made = Machine()
    _board(made)
    _processors(made)
    _memory(made)
    for number in range(GPUS):
        _slot(made, number)
    for number in range(4):
        _device(made, f"0000:{0xE0 + number:02x}:00.0", "68000", NVSWITCH, "nvidia-nvswitch", ["0000:df:01.0"], 0)
    _storage(made)
    _firmware(made)
    _management(made)
    _services(made, *SERVICES)
    made.files["/dev/nvidiactl"] = ""
    made.commands["nvidia-smi -q -x"] = NvidiaNode().xml()
    made.commands["systemd-detect-virt"] = (1, "none\n", "")
    return made


def amd_server() -> Machine:
    """The same with eight MI300X in one hive, and no NVSwitch."""
    made = server()
    made.without(*(f"{PCI}/0000:{0xE0 + number:02x}:00.0" for number in range(4)))
    for number in range(GPUS):
        base = f"{PCI}/{gpu(number)}"
        made.files[f"{base}/uevent"] = uevent("120000", "1002:74A1", "amdgpu")
        made.files[f"{base}/mem_info_vram_total"] = f"{192 * 1024**3 - 16 * 1024**2}\n"
        made.files[f"{base}/xgmi_hive_info/xgmi_hive_id"] = "7130161263126\n"
    return made


def uevent(kind: str, model: str, driver: str) -> str:
    return f"DRIVER={driver}\nPCI_CLASS={kind}\nPCI_ID={model}\nPCI_SUBSYS_ID={model}\n"


def acs(control: int, behind: int = 0x170) -> bytes:
    """A configuration space of 4096 bytes whose second extended capability is ACS with these bits in force."""
    space = bytearray(4096)
    struct.pack_into("<I", space, 0x100, 0x0003 | 1 << 16 | behind << 20)
    struct.pack_into("<IHH", space, behind, 0x000D | 1 << 16, 0x005F, control)
    return bytes(space)


def module(
    slot: str,
    gib: int,
    total: int = 80,
    data: int = 64,
    detail: int = 0x2080,
    rated: int = 4800,
    configured: int = 4800,
) -> bytes:
    """A memory device of SMBIOS 3.3 (type 17); 0 GiB is an empty slot."""
    body = bytearray(0x5C)
    struct.pack_into("<BBH", body, 0, 17, len(body), 0x1100)
    struct.pack_into("<HHHHH", body, 4, 0x1000, 0xFFFE, total if gib else 0xFFFF, data if gib else 0xFFFF, 0)
    struct.pack_into("<H", body, 0x0C, 0x7FFF if gib >= 32 else gib * 1024)
    struct.pack_into("<BBBBBH", body, 0x0E, 0x09, 0, 1, 2, 0x22, detail)
    struct.pack_into("<H", body, 0x15, rated)
    struct.pack_into("<I", body, 0x1C, gib * 1024)
    struct.pack_into("<H", body, 0x20, configured)
    return bytes(body) + slot.encode() + b"\0" + b"BANK 0\0\0"


def memory_array(correction: int = 6) -> bytes:
    """The array of all system memory (type 16); 5 is single-bit ECC, 6 multi-bit, 3 none."""
    return struct.pack("<BBHBBBIHH", 16, 15, 0x1000, 3, 3, correction, 0x80000000, 0xFFFE, 32) + b"\0\0"


def tables(modules: list[bytes], correction: int = 6, controller: bool = True) -> bytes:
    """What the firmware leaves in memory."""
    ipmi = struct.pack("<BBHBBBBQ", 38, 16, 0x2600, 1, 0x20, 0x20, 0, 0xCA3) + b"\0\0"
    parts = [memory_array(correction), *modules, *([ipmi] if controller else [])]
    return b"".join(parts) + struct.pack("<BBH", 127, 4, 0xFEFF) + b"\0\0"


def modules(count: int = MODULES, **changes: int) -> list[bytes]:
    """Every second slot of the board is filled."""
    slots = [(f"{'AB'[number // 16]}{number % 16 + 1}", GIB_OF_A_MODULE * (number % 2)) for number in range(2 * count)]
    return [module(slot, size, **changes) for slot, size in slots]


def _board(made: Machine) -> None:
    words = {
        "sys_vendor": "Example Systems",
        "product_name": "GPU Node 8",
        "board_name": "0AB1CD",
        "bios_vendor": "Example Systems",
        "bios_version": "2.4.1",
        "bios_date": "05/06/2025",
    }
    made.files |= {f"/sys/class/dmi/id/{name}": f"{word}\n" for name, word in words.items()}


def cpuinfo(model: str = "Intel(R) Xeon(R) Platinum 8468", cores: int = CORES, microcode: str = "0x2b000650") -> str:
    """Two threads a core, counted as the kernel does: the second threads come last."""
    places = [(socket, core) for _unused in range(2) for socket in range(SOCKETS) for core in range(cores)]
    return "".join(
        f"processor\t: {number}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: {model}\n"
        f"stepping\t: 8\nmicrocode\t: {microcode}\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags\t\t: fpu vme\n\n"
        for number, (socket, core) in enumerate(places)
    )


def _processors(made: Machine) -> None:
    made.files["/proc/cpuinfo"] = cpuinfo()
    made.files["/sys/devices/system/cpu/offline"] = "\n"
    for node in range(SOCKETS):
        made.files[f"/sys/devices/system/node/node{node}/cpulist"] = "0-47\n"
    flaws = (
        "meltdown",
        "spectre_v1",
        "spectre_v2",
        "spec_store_bypass",
        "l1tf",
        "mds",
        "tsx_async_abort",
        "itlb_multihit",
    )
    newer = ("srbds", "mmio_stale_data", "retbleed", "spec_rstack_overflow", "gather_data_sampling")
    newest = ("reg_file_data_sampling", "indirect_target_selection", "tsa", "vmscape")
    made.files |= {f"{FLAWS}/{name}": "Not affected\n" for name in (*flaws, *newer, *newest)}


def _memory(made: Machine) -> None:
    made.files[DMI] = tables(modules())
    made.files["/proc/meminfo"] = (
        f"MemTotal:       {GIB_OF_A_MODULE * MODULES * 1024**2 * 98 // 100} kB\nMemFree: 1 kB\n"
    )
    for number in range(8):
        base = f"{EDAC}/mc{number}"
        made.files |= {
            f"{base}/mc_name": "i10nm_edac\n",
            f"{base}/ce_count": "3\n",
            f"{base}/ue_count": "0\n",
            f"{base}/seconds_since_reset": "864000\n",
            f"{base}/dimm0/dimm_edac_mode": "SECDED\n",
            f"{base}/dimm0/dimm_label": f"CPU_SrcID#0_MC#{number}_Chan#0_DIMM#0\n",
        }


def _device(
    made: Machine, address: str, kind: str, model: str, driver: str, above: list[str], node: int, width: int = 16
) -> None:
    base = f"{PCI}/{address}"
    made.links[base] = "/".join(["../../../devices", f"pci{above[0][:7] if above else '0000:00'}", *above, address])
    made.links[f"{base}/iommu_group"] = f"../../../../kernel/iommu_groups/{int(address[5:7], 16)}"
    total = {"correctable": "COR", "nonfatal": "NONFATAL", "fatal": "FATAL"}
    made.files |= {
        f"{base}/uevent": uevent(kind, model, driver),
        f"{base}/numa_node": f"{node}\n",
        f"{base}/current_link_width": f"{width}\n",
        f"{base}/max_link_width": f"{width}\n",
        f"{base}/current_link_speed": "32.0 GT/s PCIe\n",
        f"{base}/max_link_speed": "32.0 GT/s PCIe\n",
        **{f"{base}/aer_dev_{each}": f"RxErr 0\nTOTAL_ERR_{word} 0\n" for each, word in total.items()},
    }


def _slot(made: Machine, number: int) -> None:
    """A GPU, a network adapter and a disk below one switch."""
    node = number // 4
    for leaf, (address, kind, model, driver, width) in enumerate(
        (
            (gpu(number), "30200", H100, "nvidia", 16),
            (adapter(number), "20000", CONNECTX7, "mlx5_core", 16),
            (disk(number), "10802", NVME, "nvme", 4),
        )
    ):
        _device(made, address, kind, model, driver, bridges(number, leaf), node, width)
        for bridge in bridges(number, leaf):
            if f"{PCI}/{bridge}/uevent" not in made.files:
                above = bridges(number, leaf)
                _device(made, bridge, "60400", "1000:C030", "pcieport", above[: above.index(bridge)], node)
                made.files[f"{PCI}/{bridge}/config"] = acs(0x1D)
    _port(made, number)


def _port(made: Machine, number: int) -> None:
    below = "/".join([*bridges(number, 1), adapter(number)])
    root = f"pci{bridges(number, 1)[0][:7]}"
    node = f"{number // 4}\n"
    name, rdma = f"enp{bus(number) + 4}s0np0", f"mlx5_{number}"
    made.links[f"/sys/class/net/{name}"] = f"../../devices/{root}/{below}/net/{name}"
    made.links[f"/sys/class/net/{name}/device/driver"] = "../../../../bus/pci/drivers/mlx5_core"
    made.links[f"/sys/class/infiniband/{rdma}"] = f"../../devices/{root}/{below}/infiniband/{rdma}"
    made.links[f"/sys/class/infiniband/{rdma}/device/driver"] = "../../../../bus/pci/drivers/mlx5_core"
    made.files |= {
        f"/sys/class/net/{name}/speed": "400000\n",
        f"/sys/class/net/{name}/type": "1\n",
        f"/sys/class/net/{name}/operstate": "up\n",
        f"/sys/class/net/{name}/device/numa_node": node,
        f"/sys/class/infiniband/{rdma}/device/numa_node": node,
        f"/sys/class/infiniband/{rdma}/ports/1/rate": "400 Gb/sec (4X NDR)\n",
        f"/sys/class/infiniband/{rdma}/ports/1/state": "4: ACTIVE\n",
    }


MDSTAT = """Personalities : [raid1] [raid10]
md1 : active raid10 nvme7n1[5] nvme6n1[4] nvme5n1[3] nvme4n1[2] nvme3n1[1] nvme2n1[0]
      11251200000 blocks super 1.2 512K chunks 2 near-copies [6/6] [UUUUUU]
      bitmap: 0/84 pages [0KB], 65536KB chunk

md0 : active raid1 nvme1n1p2[1] nvme0n1p2[0]
      936000000 blocks super 1.2 [2/2] [UU]

unused devices: <none>
"""
HEALTH = '{"critical_warning":0,"avail_spare":100,"spare_thresh":10,"percent_used":3,"media_errors":0,"power_cycles":9}'


def _storage(made: Machine) -> None:
    made.files["/proc/mdstat"] = MDSTAT
    for number in range(GPUS):
        root = f"pci{bridges(number, 2)[0][:7]}"
        path = "/".join([root, *bridges(number, 2), disk(number), f"nvme/nvme{number}/nvme{number}n1"])
        made.links[f"/sys/block/nvme{number}n1"] = f"../devices/{path}"
        made.files |= {
            f"/sys/block/nvme{number}n1/size": "7501476528\n",
            f"/sys/block/nvme{number}n1/queue/rotational": "0\n",
            f"/sys/block/nvme{number}n1/device/model": "Example NVMe 3.84TB\n",
            f"/sys/class/nvme/nvme{number}/state": "live\n",
        }
        made.commands[f"nvme smart-log /dev/nvme{number} --output-format=json"] = HEALTH
    made.files["/sys/block/md0/size"] = "1872000000\n"
    made.files["/sys/block/loop0/size"] = "0\n"


def _firmware(made: Machine) -> None:
    made.files |= {
        f"{EFI}/SecureBoot-{GLOBAL}": b"\6\0\0\0\1",
        f"{EFI}/SetupMode-{GLOBAL}": b"\6\0\0\0\0",
        "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        "/sys/class/tpm/tpm0/tpm_version_major": "2\n",
        "/sys/module/nvidia/taint": "PO\n",
        "/sys/module/nvme/taint": "\n",
    }


CHANNEL = """Channel 0x1 info:
  Channel Medium Type   : 802.3 LAN
  Channel Protocol Type : IPMB-1.0
  Volatile(active) Settings
    Alerting            : disabled
    Access Mode         : disabled
  Non-Volatile Settings
    Alerting            : disabled
    Access Mode         : disabled
"""
LAN = """Set in Progress         : Set Complete
IP Address Source       : Static Address
IP Address              : 192.0.2.17
RMCP+ Cipher Suites     : 3,17
Cipher Suite Priv Max   : XXXaXXXXXXXXXXX
                        :     X=Cipher Suite Unused
"""
SECURITY = """{"HostSecurityAttributes": [
  {"AppstreamId": "org.fwupd.hsi.Uefi.SecureBoot", "HsiLevel": 1, "HsiResult": "enabled", "Flags": ["success"]},
  {"AppstreamId": "org.fwupd.hsi.Spi.Bioswe", "HsiLevel": 1, "HsiResult": "not-enabled", "Flags": ["success"]},
  {"AppstreamId": "org.fwupd.hsi.Iommu", "HsiLevel": 2, "HsiResult": "enabled", "Flags": ["success"]},
  {"AppstreamId": "org.fwupd.hsi.EncryptedRam", "HsiLevel": 4, "HsiResult": "not-supported", "Flags": []},
  {"AppstreamId": "org.fwupd.hsi.Kernel.Tainted", "HsiResult": "tainted", "Flags": ["runtime-issue"]}
]}"""


def _management(made: Machine) -> None:
    made.files["/dev/ipmi0"] = ""
    for number in range(1, 12):
        made.commands[f"ipmitool channel info {number}"] = (1, "", "Unable to Get Channel Info")
    made.commands["ipmitool channel info 1"] = CHANNEL
    made.commands["ipmitool lan print 1"] = LAN
    made.commands["fwupdmgr security --json --no-unreported-check"] = SECURITY


SERVICES = ("crowdsec.service", "clamav-daemon.service", "rasdaemon.service")
UNITS = "systemctl list-units --all --no-pager --output=json"
WANTS, PACKAGED = "/etc/systemd/system/multi-user.target.wants", "/usr/lib/systemd/system"


def _services(made: Machine, *names: str) -> None:
    made.commands[UNITS] = json.dumps([{"unit": name, "active": "active"} for name in names])
    for name in names:
        made.links[f"{WANTS}/{name}"] = f"{PACKAGED}/{name}"
        made.files[f"{PACKAGED}/{name}"] = "[Service]\n"


def changed(machine: Machine, files: Mapping[str, str | bytes]) -> Machine:
    """The machine with other contents of some files; each of them must have been there, or nothing is changed."""
    missing = [path for path in files if path not in machine.files]
    assert not missing, f"the machine has no {missing}"
    machine.files |= files
    return machine
