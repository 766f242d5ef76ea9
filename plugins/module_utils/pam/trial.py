# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Asks libpam itself about a folder of PAM services before it is /etc/pam.d: may this account log in?

Only the account stack is run: it decides about logins by key and about sudo without a password, changes nothing, and
counts nothing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from typing import Any

PAM_SUCCESS = 0
_CONV_ERR = 19


class TrialError(Exception):
    """libpam could not be asked; the message says why."""


class _Conversation(ctypes.Structure):
    _fields_ = [("conv", ctypes.c_void_p), ("appdata", ctypes.c_void_p)]


def account(service: str, user: str, folder: str) -> tuple[int, str]:
    """Return libpam's answer and its text for an account of a service as a folder defines it. Raises TrialError."""
    library = _library()
    answer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    # Nobody answers: a module that asks gets an error.
    callback = answer(lambda _count, _messages, _responses, _data: _CONV_ERR)
    conversation = _Conversation(ctypes.cast(callback, ctypes.c_void_p), None)
    handle = ctypes.c_void_p()
    status = library.pam_start_confdir(
        service.encode(), user.encode(), ctypes.byref(conversation), folder.encode(), ctypes.byref(handle)
    )
    if status != PAM_SUCCESS:
        return status, f"the service '{service}' could not be started"
    # PAM_SILENT: nothing is told to anybody.
    status = int(library.pam_acct_mgmt(handle, ctypes.c_int(0x8000)))
    text = library.pam_strerror(handle, ctypes.c_int(status)) or b""
    library.pam_end(handle, ctypes.c_int(status))
    return status, text.decode(errors="replace")


def _library() -> Any:
    name = ctypes.util.find_library("pam") or "libpam.so.0"
    try:
        library = ctypes.CDLL(name)
        library.pam_start_confdir.restype = ctypes.c_int
        library.pam_strerror.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise TrialError(f"libpam cannot try a folder of services (it has to be 1.4 or newer): {error}") from error
    return library
