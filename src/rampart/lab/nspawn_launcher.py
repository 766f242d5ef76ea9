# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The shell script that becomes a container: mounts its root, then boots it again after each reboot."""

from __future__ import annotations

# $1 disk, $2 lower folder, $3 mount points' folder, $4 seed folder, $5 plugs the network in, $6 the group on a machine
# with cgroup v2 alone, else empty; the rest is the command.
# `volatile`: a lab's disk need not survive a crash of the machine, and package installation is several times faster
# without its syncs. A reboot (nspawn ends with 133) gets a new network namespace: a real one forgets its rules too.
# cgroup v2 hands controllers to the children of a group that holds no process itself, so this script goes into a child
# and each boot into another, fresh one.
SCRIPT = """set -e
disk=$1 lower=$2 mnt=$3 seed=$4 plug=$5 group=$6; shift 6
if [ -n "$group" ]; then
  mkdir -p "$group/launcher"
  echo $$ >"$group/launcher/cgroup.procs"
  for controller in $(cat "$group/cgroup.controllers"); do
    echo "+$controller" >"$group/cgroup.subtree_control" || echo "controller $controller stays with the machine"
  done
fi
mount -o loop,discard "$disk" "$mnt/disk"
mkdir -p "$mnt/disk/upper" "$mnt/disk/work"
rm -rf "$mnt/disk/work/work/incompat"
mount -t overlay -o "lowerdir=$lower,upperdir=$mnt/disk/upper,workdir=$mnt/disk/work,volatile" overlay "$mnt/root"
[ -e "$mnt/disk/seeded" ] || cp -a "$seed/." "$mnt/root/"
touch "$mnt/disk/seeded"
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
boot=0
while :; do
  boot=$((boot + 1)) code=0 enter=
  if [ -n "$group" ]; then
    mkdir -p "$group/boot$boot"
    enter="echo \\$\\$ >'$group/boot$boot/cgroup.procs'; "
  fi
  unshare --net sh -ec "$enter$plug"'exec "$@"' sh "$@" || code=$?
  [ "$code" -eq 133 ] || exit "$code"
done
"""
