"""Rampart: harden GPU fleets and measure what was left behind."""
