# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be done to the accounts of a host: passwords age, services do not log in, operators are not shut out.

Pure: decides from the lines of passwd and shadow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOLOGIN = "/usr/sbin/nologin"
_NO_SHELL = ("nologin", "false", "true", "sync", "halt", "shutdown")
_NEVER = (None, -1, 99999)


@dataclass(frozen=True)
class Account:
    """An account as passwd and shadow have it; ages in days, None where the field is empty."""

    name: str
    uid: int
    shell: str
    password: str
    last_change: int | None = None
    min_days: int | None = None
    max_days: int | None = None
    warn_days: int | None = None
    inactive_days: int | None = None

    @property
    def has_password(self) -> bool:
        """Say whether a password lets in."""
        return self.password == "" or self.password[0] not in "!*x"

    @property
    def logs_in(self) -> bool:
        """Say whether the shell is one to log in to."""
        return self.shell.rsplit("/", 1)[-1] not in _NO_SHELL


@dataclass(frozen=True)
class Policy:
    """What is wanted. `kept` are accounts that stay as they are, whoever they look like."""

    max_days: int = 365
    min_days: int = 1
    warn_days: int = 7
    inactive_days: int = 45
    lock_root: bool = True
    uid_min: int = 1000
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One command, and what it does in words."""

    argv: tuple[str, ...]
    says: str


@dataclass
class Plan:
    """The steps, and what is left to a person."""

    steps: list[Step] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def parse(passwd: str, shadow: str) -> list[Account]:
    """Return the accounts of the two files; an account without a line in shadow is left to a person."""
    hashes = {row[0]: row for row in _rows(shadow, 8)}
    return [_account(row, hashes[row[0]]) for row in _rows(passwd, 7) if row[0] in hashes and row[2].isdigit()]


def decide(accounts: Sequence[Account], policy: Policy, today: int) -> Plan:
    """Return what has to be done; `today` is in days since 1970."""
    plan = Plan()
    for account in accounts:
        if account.name == "root":
            plan.steps += _root(account, policy)
        elif account.name not in policy.kept and (account.uid < policy.uid_min or account.uid >= 65534):
            plan.steps += _service(account)
        elif not account.logs_in:
            plan.steps += _locked(account)
        plan.steps += _ages(account, policy, today, plan.left_out)
    return plan


def _root(account: Account, policy: Policy) -> Iterator[Step]:
    if policy.lock_root and account.has_password:
        yield Step(("usermod", "--lock", "root"), "root has no password")


def _service(account: Account) -> Iterator[Step]:
    if account.logs_in:
        yield Step(("usermod", "--shell", NOLOGIN, account.name), f"{account.name} cannot log in")
    yield from _locked(account)


def _locked(account: Account) -> Iterator[Step]:
    if account.has_password:
        yield Step(("usermod", "--lock", account.name), f"{account.name} has no password")


def _ages(account: Account, policy: Policy, today: int, left_out: list[str]) -> Iterator[Step]:
    if not account.logs_in and not account.has_password:
        return
    if not account.has_password or (account.name == "root" and policy.lock_root):
        # PAM refuses a key when the password behind it has run out, which nobody ever typed.
        if account.max_days not in _NEVER:
            yield Step(
                ("chage", "--maxdays", "-1", "--inactive", "-1", account.name),
                f"{account.name}, who has no password, does not run out",
            )
        return
    if account.max_days is None or not 0 < account.max_days <= policy.max_days:
        if (
            account.last_change is not None
            and account.last_change > 0
            and account.last_change + policy.max_days < today
        ):
            left_out.append(
                f"{account.name}: the password is older than {policy.max_days} days and would have run out; change it, "
                "then run again"
            )
            return
        yield Step(("chage", "--maxdays", str(policy.max_days), account.name), f"the password of {account.name} ages")
    if account.min_days is None or account.min_days < policy.min_days:
        yield Step(
            ("chage", "--mindays", str(policy.min_days), account.name),
            f"{account.name} keeps a new password for a while",
        )
    if account.warn_days is None or account.warn_days < policy.warn_days:
        yield Step(("chage", "--warndays", str(policy.warn_days), account.name), f"{account.name} is warned")
    if account.inactive_days is None or not 0 <= account.inactive_days <= policy.inactive_days:
        yield Step(
            ("chage", "--inactive", str(policy.inactive_days), account.name), f"{account.name} ends after the password"
        )


def _account(row: Sequence[str], shadow: Sequence[str]) -> Account:
    ages = [int(text) if text.lstrip("-").isdigit() else None for text in shadow[2:7]]
    password = shadow[1] if row[1] == "x" else row[1]
    return Account(row[0], int(row[2]), row[6] or "/bin/sh", password, *ages)


def _rows(text: str, width: int) -> list[list[str]]:
    rows = [line.split(":") for line in text.splitlines() if line.strip() and line[0] not in "#+-"]
    return [row for row in rows if len(row) >= width]
