# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Modules under every name that they are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.kernel_module import kernel_module

from .recorded_host import Outcome, RecordedHost

NOT_FOUND = (1, "", "modprobe: FATAL: Module x not found in directory /lib/modules/6.1.0-28-amd64\n")
PATH = "insmod /lib/modules/6.1.0-28-amd64/kernel/fs/"


def host(
    depends: dict[str, Outcome], loaded: str = "", config: str = "", disabled: str = "0", **files: str
) -> RecordedHost:
    """`depends`: name to what --show-depends says; all other names are unknown to modprobe."""

    class Modprobe(dict[Any, Outcome]):
        def get(self, argv: Any, default: Any = None) -> Any:
            if argv == ("modprobe", "--showconfig"):
                return config
            if isinstance(argv, tuple):
                assert argv[:3] == ("modprobe", "--dry-run", "--show-depends")
                return depends.get(argv[3], NOT_FOUND)
            return default

    return RecordedHost(
        files={
            "/proc/modules": loaded,
            "/proc/sys/kernel/modules_disabled": disabled,
            "/proc/filesystems": "",
            **files,
        },
        commands=Modprobe({"modprobe": ""}),
    )


OVERLAY = {"overlay": PATH + "overlayfs/overlay.ko \n"}


@pytest.mark.parametrize("name", ["overlay", "overlayfs"])
def test_overlay_is_found_under_the_name_that_guides_use(name: str) -> None:
    free = kernel_module(host(OVERLAY), {"name": name})
    assert (free["loaded"], free["available"], free["loadable"]) == (False, True, True)
    assert "overlay" in free["names"]
    loaded = kernel_module(host(OVERLAY, loaded="overlay 163840 3 - Live 0x0000000000000000\n"), {"name": name})
    assert loaded["loaded"]


@pytest.mark.parametrize("alias", ["fs-zonefs", "fs_zonefs", "fs-zone*", "zonefs"])
def test_an_alias_leads_to_the_module_behind_it(alias: str) -> None:
    dump = f"blacklist other\nalias pci:v0000* other\nalias {alias} zone-driver\n"
    found = kernel_module(host({"zone_driver": PATH + "zone-driver.ko \n"}, config=dump), {"name": "zonefs"})
    assert (found["names"], found["loadable"]) == (["zone_driver", "zonefs"], True)


def test_dashes_and_underscores_are_one() -> None:
    known = {"usb_storage": "insmod /x/usb-storage.ko \n"}
    found = kernel_module(host(known, loaded="usb_storage 81920 0 - Live 0x0\n"), {"name": "usb-storage"})
    assert (found["loaded"], found["names"]) == (True, ["usb_storage"])


@pytest.mark.parametrize("refusal", ["/bin/false", "/usr/bin/false", "/bin/true"])
def test_an_install_line_keeps_a_module_out(refusal: str) -> None:
    known = {"cramfs": f"install {refusal} \n"}
    found = kernel_module(host(known, config="blacklist cramfs\nalias x y\n"), {"name": "cramfs"})
    assert (found["available"], found["loadable"], found["blacklisted"]) == (True, False, True)


def test_an_install_line_that_loads_the_module_keeps_nothing_out() -> None:
    known = {"cramfs": "install /sbin/modprobe --ignore-install cramfs \n"}
    assert kernel_module(host(known), {"name": "cramfs"})["loadable"]


def test_a_blacklist_alone_does_not_keep_a_module_out() -> None:
    known = {"cramfs": PATH + "cramfs/cramfs.ko \n"}
    found = kernel_module(host(known, config="blacklist cramfs\n"), {"name": "cramfs"})
    assert (found["loadable"], found["blacklisted"]) == (True, True)


def test_a_module_that_is_loaded_is_in_whatever_the_configuration_says() -> None:
    known = {"cramfs": "install /bin/false \n"}
    found = kernel_module(host(known, loaded="cramfs 45056 0 - Live 0x0\n"), {"name": "cramfs"})
    assert (found["loaded"], found["loadable"]) == (True, True)


def test_what_is_part_of_the_kernel_cannot_be_kept_out() -> None:
    by_modprobe = kernel_module(host({"udf": "builtin udf\n"}), {"name": "udf"})
    by_kernel = kernel_module(host({}, **{"/proc/filesystems": "nodev\tsysfs\n\tudf\n"}), {"name": "udf"})
    for found in (by_modprobe, by_kernel):
        assert (found["loaded"], found["builtin"], found["loadable"]) == (False, True, True)


def test_a_kernel_that_loads_no_more_modules_keeps_them_out() -> None:
    known = {"cramfs": PATH + "cramfs/cramfs.ko \n"}
    assert not kernel_module(host(known, disabled="1"), {"name": "cramfs"})["loadable"]


def test_a_module_that_no_kernel_here_has() -> None:
    found = kernel_module(host({}), {"name": "freevxfs"})
    assert not (found["available"] or found["loadable"] or found["loaded"])


def test_without_modprobe_it_cannot_be_told() -> None:
    with pytest.raises(ProbeError, match="modprobe"):
        kernel_module(RecordedHost(files={"/proc/modules": ""}), {"name": "cramfs"})
