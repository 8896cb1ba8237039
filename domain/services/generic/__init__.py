"""Any service with OAuth2 or OpenID Connect, wholly described by the operator in a file."""

from domain.services.generic.description import AccountPaths, GenericServiceDescription
from domain.services.generic.description_reader import read_descriptions
from domain.services.generic.service import GenericService

__all__ = ["AccountPaths", "GenericService", "GenericServiceDescription", "read_descriptions"]
