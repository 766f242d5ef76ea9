# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Run a playbook through ansible-runner, watch it, keep what it left, and read the verdict."""
