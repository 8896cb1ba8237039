"""The services that this server knows. Composed at start; asked by the manager, health checks and GraphQL."""

from collections.abc import Iterable, Iterator

from domain.errors import InvalidInput
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

    def find(self, service_id: str) -> Service | None:
        return self._services.get(service_id)

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())
