# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A program that makes a lab host answer as a machine with GPUs would: its tools replay recorded answers.

`python -m tests.recordings.replay > program`; run as root on a lab host. It leaves a marker by which every report says
that the hardware is simulated. Everything lies in memory, and is gone with the next boot.
"""

from __future__ import annotations

import re
import shlex
import sys

from tests.recordings.nvidia import NvidiaNode

FOLDER = "/run/rampart-lab"
# Device files of their number 0 open nothing, and may be made in a container.
PROGRAM = """\
#!/bin/sh
set -eu
mkdir -p {folder}/replay
{answers}
cat > /usr/bin/nvidia-smi <<'END'
#!/bin/sh
# Replays recorded answers: there is no GPU here.
exec cat "{folder}/replay/$(printf '%s' "$*" | tr -c 'A-Za-z0-9' '_')"
END
chmod 0755 /usr/bin/nvidia-smi
for name in nvidiactl nvidia-uvm {devices}; do
    [ -e "/dev/$name" ] || mknod -m {mode} "/dev/$name" c 0 0
    chgrp video "/dev/$name"
done
mountpoint -q /proc/driver || mount -t tmpfs -o mode=0755 tmpfs /proc/driver
mkdir -p /proc/driver/nvidia
cd /proc/driver/nvidia
echo 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {driver}  Release Build' > version
printf '%s\\n' 'DeviceFileGID: 44' 'DeviceFileMode: 432' 'RmProfilingAdminOnly: 1' > params
echo gpu > {folder}/simulated-hardware
"""


def program(node: NvidiaNode, device_mode: str = "0660") -> str:
    """The program that installs a node's answers."""
    answers = {
        "-q -x": node.xml(),
        "--query-gpu=pci.bus_id,inforom.checksum_validation --format=csv": node.inforom_csv(),
        "nvlink -s": node.nvlink(),
        "conf-compute -f": "CC status: OFF\n",
        "conf-compute -d": "DevTools Mode: OFF\n",
    }
    return PROGRAM.format(
        folder=FOLDER,
        answers="\n".join(
            f"printf %s {shlex.quote(text)} > {FOLDER}/replay/{re.sub('[^A-Za-z0-9]', '_', arguments)}"
            for arguments, text in answers.items()
        ),
        devices=" ".join(f"nvidia{number}" for number in range(len(node.gpus))),
        mode=device_mode,
        driver=node.driver,
    )


if __name__ == "__main__":
    sys.stdout.write(program(NvidiaNode(clocks_listed=2)))
