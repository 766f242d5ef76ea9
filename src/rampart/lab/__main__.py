# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""`python -m rampart.lab` is `rampart lab`."""

from rampart.lab.cli import app

app(prog_name="rampart lab")
