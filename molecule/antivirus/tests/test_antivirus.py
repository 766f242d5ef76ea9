# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is uploaded is judged before anybody has it."""

from __future__ import annotations

import time

from testinfra.host import Host

UPLOAD = "/var/lib/rampart/upload"
EICAR = b"".join([rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!", b"$H+H*"])


def arrives(host: Host, path: str) -> bool:
    end = time.monotonic() + 45
    while time.monotonic() < end:
        if host.run(f"test -e {UPLOAD}/{path}").rc == 0:
            return True
        time.sleep(0.5)
    return False


def test_a_clean_upload_is_moved_on(host: Host) -> None:
    host.check_output(f"echo weights > {UPLOAD}/partial/m && mv {UPLOAD}/partial/m {UPLOAD}/incoming/model.txt")
    assert arrives(host, "clean/model.txt")
    assert host.file(f"{UPLOAD}/clean/.model.txt.scan.json").exists
    assert host.file(f"{UPLOAD}/clean/model.txt").mode == 0o440


def test_an_infected_upload_is_quarantined(host: Host) -> None:
    script = f"import sys; open('{UPLOAD}/partial/e', 'wb').write(bytes.fromhex('{EICAR.hex()}'))"
    host.check_output(f'python3 -c "{script}" && mv {UPLOAD}/partial/e {UPLOAD}/incoming/bad')
    assert arrives(host, "quarantine/bad")
    assert not host.file(f"{UPLOAD}/clean/bad").exists


def test_nothing_scans_on_access(host: Host) -> None:
    assert host.run("pidof clamonacc").rc != 0
