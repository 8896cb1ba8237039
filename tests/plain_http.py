"""What a client of `http://` addresses alone is given as `verify`: it reads no certificates, which takes a while.

Used by every test that makes a client of its own.
"""

import ssl
from typing import Final

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it trusts nobody
