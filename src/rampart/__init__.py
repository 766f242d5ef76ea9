# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Rampart: harden GPU fleets and measure what was left behind."""
