"""Licenses as SPDX writes them."""

from __future__ import annotations


def expression(text: str) -> str:
    """A license as an SPDX expression; empty if it is not a valid one."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""
