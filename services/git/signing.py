"""Signs commits as ``git -c gpg.format=ssh`` does: an SSHSIG over the commit's content, in its header.

The format is PROTOCOL.sshsig of OpenSSH. Ed25519 and RSA give the same signature each time, so that a commit
that is made once more has the same name; the vault takes no others.
"""

import base64
import hashlib
import struct
import textwrap
from typing import Final

from services.git.ssh_keys import SshKey, string

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_NAMESPACE: Final = b"git"
_HASH: Final = b"sha512"
_LINE: Final = 70


def signature(key: SshKey, content: bytes) -> str:
    """Give the armoured signature of a commit's content without signature; lines end in a newline."""
    digest = hashlib.sha512(content).digest()
    about = string(_NAMESPACE) + string(b"") + string(_HASH)
    signed = key.sign(_MAGIC + about + string(digest))
    blob = _MAGIC + struct.pack(">I", _VERSION) + string(key.blob) + about + string(signed)
    body = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), _LINE))
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"
