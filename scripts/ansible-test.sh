#!/usr/bin/env bash
# Run ansible-test on a plain checkout, with PyPI as the only registry.
#   scripts/ansible-test.sh sanity --python 3.11
#   scripts/ansible-test.sh sanity --python 3.11 --test validate-modules
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.venv/bin
PATH=$bin:$PATH
namespace=$(sed -n 's/^namespace: *//p' "$root/galaxy.yml")
name=$(sed -n 's/^name: *//p' "$root/galaxy.yml")

# ansible-test resolves symbolic links and wants a real .../ansible_collections/<namespace>/<name>.
work=$(mktemp -d "${TMPDIR:-/tmp}/rampart-ansible-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
tree=$work/ansible_collections/$namespace/$name
mkdir -p "$tree"
# Tracked and new files, never ignored ones; a tracked file that was just removed is no reason to stop.
(cd "$root" && git ls-files -co --exclude-standard -z -- \
    ':!collections' ':!molecule' ':!inventories' ':!tests/unit' ':!tests/bench' ':!tests/e2e' ':!scripts' ':!src' |
    tar --null --ignore-failed-read -T - -cf - 2>/dev/null) | tar -xf - -C "$tree"

# ansible-test fetches get-pip.py from a site of its own; ensurepip and PyPI serve as well. The child process is needed
# because ensurepip points PIP_CONFIG_FILE of its own process at /dev/null.
pip=$("$bin/python" - <<'PY'
import pathlib
import re

import ansible_test._internal as internal

text = (pathlib.Path(internal.__file__).parent / "python_requirements.py").read_text()
print(re.search(r"pip='([0-9.]+)'", text).group(1).replace(".", "_"))
PY
)
cache=$HOME/.ansible/test/cache
mkdir -p "$cache"
if ! [ -s "$cache/get_pip_$pip.py" ]; then
    cat >"$cache/get_pip_$pip.py" <<'PY'
import subprocess
import sys

UNKNOWN = ("--no-setuptools", "--no-wheel")
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in UNKNOWN]
subprocess.check_call([sys.executable, "-m", "pip", "install", "-q"] + wanted)
PY
fi

core=$("$bin/python" -c 'from ansible.release import __version__ as v; print(".".join(v.split(".")[:2]))')
python=$("$bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$bin/python" "$root/scripts/sanity_ignores.py" "$tree" "$core" "$python"

cd "$tree"
ansible-test "$@"
