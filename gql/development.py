"""What both sides of development's built-in identity provider know: where it is, and as whom Tether asks it.

The one side is `gql/http/development_issuer.py`, the other the sign-in that `gql/bootstrap.py` sets up.
"""

from typing import Final

ISSUER_PATH: Final = "/development/identity-provider"
ISSUER_ID: Final = "development"
"""Also the issuer of its identities: the same on whichever port the server is started."""
SAMPLE_ISSUER: Final = "development"
"""What the session has for an issuer that GraphiQL's page gives: nobody was asked who it is."""
CLIENT_ID: Final = "tether"
NAME: Final = "Development (no password)"
