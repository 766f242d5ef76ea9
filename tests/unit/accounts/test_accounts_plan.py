# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the role does to accounts, and above all what it does not."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.accounts.plan import Policy, decide, parse

TODAY = 20000
PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\nslurm:x:64030:64030::/nonexistent:/bin/bash\n"
    "postgres:x:110:118::/var/lib/postgresql:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
    "ops:x:1000:1000::/home/ops:/bin/bash\nann:x:1001:1001::/home/ann:/bin/bash\n+::::::\n"
)
HASH = "$y$j9T$abc$def"


def steps(shadow: str, policy: Policy | None = None, passwd: str = PASSWD) -> tuple[list[str], list[str]]:
    plan = decide(parse(passwd, shadow), policy or Policy(), TODAY)
    return [" ".join(step.argv) for step in plan.steps], plan.left_out


def test_a_hardened_host_needs_nothing() -> None:
    assert steps(f"root:!*:1:0:99999:7:::\nsync:*:1::::::\nops:!:1:0:99999:7:::\nann:{HASH}:19900:1:365:7:45::\n") == (
        [],
        [],
    )


def test_root_loses_its_password_unless_the_site_keeps_it() -> None:
    shadow = f"root:{HASH}:19900:1:365:7:45::\n"
    assert steps(shadow)[0] == ["usermod --lock root", "chage --maxdays -1 --inactive -1 root"]
    assert steps(shadow, Policy(lock_root=False)) == ([], [])


def test_services_lose_shell_and_password_unless_they_are_kept() -> None:
    shadow = f"postgres:{HASH}:19900:1:365:7:45::\nnobody:*:1::::::\n"
    assert steps(shadow)[0] == ["usermod --shell /usr/sbin/nologin postgres", "usermod --lock postgres"]
    assert steps(shadow, Policy(kept=("postgres",))) == ([], [])


def test_the_operator_keeps_its_shell_even_with_the_number_of_a_service() -> None:
    assert steps("postgres:!:1:0:99999:7:::\n", Policy(kept=("postgres",)))[0] == []


@pytest.mark.parametrize("max_days", ["365", "30"])
def test_who_logs_in_by_key_never_runs_out(max_days: str) -> None:
    assert steps(f"ops:!:19000:0:{max_days}:7:30::\n")[0] == ["chage --maxdays -1 --inactive -1 ops"]


def test_passwords_age() -> None:
    assert steps(f"ann:{HASH}:19900:0:99999:0:::\n")[0] == [
        "chage --maxdays 365 ann",
        "chage --mindays 1 ann",
        "chage --warndays 7 ann",
        "chage --inactive 45 ann",
    ]


def test_a_password_that_would_have_run_out_is_left_to_a_person() -> None:
    found, left_out = steps(f"ann:{HASH}:19000:1:99999:7:45::\n")
    assert found == []
    assert "ann: the password is older than 365 days" in left_out[0]


def test_lines_that_are_none_are_left_alone() -> None:
    assert steps("ops:!\nann\n") == ([], [])
