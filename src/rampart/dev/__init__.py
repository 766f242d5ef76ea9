# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Tools for those who work on the checkout; nothing here is needed to run a playbook."""
