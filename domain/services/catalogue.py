"""The services that this server knows. Composed at start; asked by the manager, health checks and GraphQL."""

from collections.abc import Iterable, Iterator

from domain.entities.health import Remedy
from domain.errors import InvalidInput, ServiceFailure
from domain.services.base import Service


class ServiceCatalogue:
    """Services by their id; iterating goes in the order of the ids."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services: dict[str, Service] = {}
        for service in sorted(services, key=lambda each: each.id):
            if service.id in self._services:
                raise ValueError(f"Two services are called {service.id!r}.")
            self._services[service.id] = service

    def get(self, service_id: str) -> Service:
        """Raises InvalidInput that lists the known services."""
        service = self.find(service_id)
        if service is None:
            known = ", ".join(self._services)
            raise InvalidInput(f"Tether knows no service {service_id[:60]!r}. It knows: {known}.", ("input", "service"))
        return service

    def get_connected(self, service_id: str) -> Service:
        """The service of a stored connection. Raises ServiceFailure where this server no longer has it."""
        service = self.find(service_id)
        if service is None:
            raise ServiceFailure(
                code="SERVICE_UNREACHABLE",
                service=service_id,
                message=f"This server no longer knows the service {service_id!r}, so it can't ask it. "
                "The operator can bring it back; the connection can still be renamed, paused and deleted.",
                remedy=Remedy.CONTACT_ADMIN,
            )
        return service

    def find(self, service_id: str) -> Service | None:
        return self._services.get(service_id)

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())
