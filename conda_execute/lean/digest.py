"""SHA-256 of a few bytes without OpenSSL: `hashlib` loads it, which takes 2 ms of a warm run.

The interpreter's own implementation, which `hashlib` uses without OpenSSL, has had two names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:
            from hashlib import sha256


def digest(data: bytes) -> str:
    """The digest as 64 hex digits."""
    return sha256(data).hexdigest()
