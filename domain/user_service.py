"""UserService: people, organizations, memberships and keys, and who it is that sends a token.

Called by the mutations (`create_organization`, `update_organization`, and the use cases in its rooms `members`,
`invitations` and `api_keys`), the command line (`issue_api_key`) and every request (`authenticate`).
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from domain.api_key import ParsedApiKey, generate_api_key, parse_api_key
from domain.api_key_issue import ApiKeyIssue
from domain.authorization import authorize
from domain.entities.audit import AuditAction, AuditRecord
from domain.entities.email_address import clean_email
from domain.entities.event import OPERATOR, Actor
from domain.entities.health import Json
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.task import Task, TaskKind
from domain.entities.text import clean_name
from domain.entities.user import Action, ApiKey, Membership, Role, User, Viewer
from domain.errors import Forbidden, NameTaken, NotFound, Unauthenticated
from domain.idempotency import IdempotentCall
from domain.identity_providers.bearer_tokens import BearerTokens
from domain.invitations import Invitations
from domain.members import Members
from domain.moment_cache import MomentCache
from domain.noted_uses import NotedUses
from domain.ports import UnitOfWork, UnitsOfWork
from domain.secret import Secret
from domain.unset import UNSET, Unset

UNAUTHENTICATED: Final = (
    "This needs a valid API key of this server (tether_…), or a valid access token of an identity provider that it "
    "trusts, sent as 'Authorization: Bearer …'."
)
"""The same for every reason, so that nobody learns which keys there are."""


class UserService:
    """One a process: it remembers for a moment whom it has authenticated. Close it before the database."""

    def __init__(
        self, units_of_work: UnitsOfWork, clock: Callable[[], datetime], bearer_tokens: BearerTokens | None = None
    ) -> None:
        self._units_of_work = units_of_work
        self._clock = clock
        self._bearer_tokens = bearer_tokens
        self._viewers: MomentCache[ParsedApiKey, Viewer] = MomentCache()
        self._uses = NotedUses(units_of_work, "API key(s)", lambda unit, key, at: unit.api_keys.mark_used(key, at))
        self.members = Members(units_of_work, clock, self._forget_keys)
        self.invitations = Invitations(units_of_work, clock)
        self.api_keys = ApiKeyIssue(units_of_work, clock, self._forget_keys)
        self._asking: WeakValueDictionary[ParsedApiKey, asyncio.Lock] = WeakValueDictionary()

    async def aclose(self) -> None:
        """Wait for what is still being written beside the requests."""
        await self._uses.aclose()

    async def authenticate(self, token: str) -> Viewer:
        """Whose key, or whose identity provider's token, this is.

        Raises Unauthenticated, with the same words whatever is wrong with it; ServiceUnavailable where the database or
        the token's issuer can't be asked.
        """
        key = parse_api_key(token)
        if key is None:
            bearer = None if self._bearer_tokens is None else await self._bearer_tokens.authenticate(token)
            if bearer is None:
                raise Unauthenticated(UNAUTHENTICATED)
            return bearer
        viewer = self._viewers.find(key, self._clock())
        if viewer is not None:
            return viewer
        # Of requests that come at once, one asks the database and the others wait for what it learns.
        async with self._asking.setdefault(key, asyncio.Lock()):
            return self._viewers.find(key, self._clock()) or await self._look_up(key)

    async def create_organization(
        self, viewer: Viewer, slug: str, name: str, *, idempotency_key: str | None = None
    ) -> Organization:
        """A new organization, of which the viewer's user is the owner.

        The same call again with the same idempotency key gives what the first one created. Raises Forbidden for a key
        that can't act as an owner, or not there, InvalidInput, NameTaken and IdempotencyKeyReused.
        """
        if viewer.confined_to is not None:
            raise Forbidden("This key acts in the organization that issued it, and creates no other one.")
        if viewer.role_cap is not Role.OWNER:
            raise Forbidden(
                "Who creates an organization becomes its owner, which takes a key with the role "
                f"{Role.OWNER}; this one has the role {viewer.role_cap}."
            )
        call = IdempotentCall.of(viewer, "createOrganization", idempotency_key, slug=slug, name=name)
        organization = Organization.create(id=new_id(), slug=slug, name=name, now=self._clock())
        try:
            return await self._add(viewer, call, organization)
        except NameTaken:
            # Perhaps by an equal call at the same time, whose organization is then the answer.
            async with self._units_of_work.reading_everywhere() as unit:
                earlier = await call.earlier_result(unit)
                if earlier is None:
                    raise
                return await _created_before(unit, earlier)

    async def update_organization(
        self,
        viewer: Viewer,
        organization_id: UUID,
        *,
        name: str | Unset | None = UNSET,
        check_interval_seconds: int | Unset | None = UNSET,
        expected_version: int | None = None,
    ) -> Organization:
        """Change what is given. Where connections are to be checked more often, they are from now on.

        Raises NotFound, Forbidden, VersionConflict and InvalidInput.
        """
        async with self._units_of_work.writing(organization_id) as unit:
            await authorize(unit, viewer, organization_id, Action.MANAGE_ORGANIZATION)
            organization = await unit.organizations.get(organization_id)
            organization.expect(expected_version)
            now, before = self._clock(), replace(organization)
            changed = organization.update(name=name, check_interval_seconds=check_interval_seconds, now=now)
            if changed:
                await unit.organizations.save(organization)
                if organization.check_interval < before.check_interval:
                    kind = TaskKind.BRING_CHECKS_FORWARD
                    await unit.tasks.put(Task(new_id(), kind, organization.id, organization.id, now))
                data = {"from": before.told(changed), "to": organization.told(changed)}
                actor, action = Actor.of(viewer), AuditAction.ORGANIZATION_UPDATED
                await unit.audit.add(AuditRecord.of_organization(actor, organization, action, now, data))
                await unit.commit()
        return organization

    async def issue_api_key(
        self,
        organization_slug: str,
        user_email: str,
        role: Role,
        *,
        name: str = "Issued by the operator",
        expires_at: datetime | None = None,
        replaces_earlier: bool = False,
    ) -> Secret:
        """The token of a new API key, for the operator: what is missing of organization, user and membership is made.

        The member's role is raised to `role` where it is below. The token is told this once. With `replaces_earlier`,
        the user's key of that name gets the new token and its old one ends, so that there is one. Raises InvalidInput.
        """
        email = clean_email(user_email, ("input", "email"))
        now = self._clock()
        key_name = clean_name(name, ("input", "name"))
        async with self._units_of_work.writing_everywhere() as unit:
            new = Organization.create(id=new_id(), slug=organization_slug, name=organization_slug, now=now)
            organization = await unit.organizations.find_or_add(new)
            if organization.id == new.id:
                await unit.audit.add(_created(OPERATOR, organization))
            user = await unit.users.find_or_add(User(new_id(), email.partition("@")[0], email, None, now))
            membership = Membership(organization.id, user.id, role, now)
            earlier_role = await unit.memberships.role_of(user.id, organization.id)
            if not await unit.memberships.add(membership):
                await unit.memberships.raise_role(membership)
            earlier = await unit.api_keys.find_named(organization.id, user.id, key_name) if replaces_earlier else None
            new_key = generate_api_key(new_id() if earlier is None else earlier.id)
            key = ApiKey(
                id=new_key.id,
                organization_id=organization.id,
                user_id=user.id,
                name=key_name,
                role=role,
                secret_hash=new_key.secret_hash,
                created_at=now,
                expires_at=expires_at,
            )
            await (unit.api_keys.add(key) if earlier is None else unit.api_keys.save(key))
            for record in _issued(user, membership, earlier_role, key):
                await unit.audit.add(record)
            await unit.commit()
        return new_key.token

    def _forget_keys(self, key_ids: Collection[UUID]) -> None:
        self._viewers.forget_where(lambda viewer: viewer.api_key_id in key_ids)

    async def _look_up(self, parsed: ParsedApiKey) -> Viewer:
        now, ends = self._clock(), self._viewers.ends
        async with self._units_of_work.reading_everywhere() as unit:
            found = await unit.api_keys.find(parsed.id)
        if found is None:
            raise Unauthenticated(UNAUTHENTICATED)
        key, user = found
        if not (parsed.matches(key.secret_hash) and key.usable_at(now)):
            raise Unauthenticated(UNAUTHENTICATED)
        confined_to = key.organization_id if key.confined else None
        viewer = Viewer(user.id, user.name, key.role, key.id, key.name, confined_to)
        self._viewers.keep(parsed, viewer, now, expires_at=key.expires_at, ends=ends)
        self._uses.note(key.id, key.last_used_at, now)
        return viewer

    async def _add(self, viewer: Viewer, call: IdempotentCall, organization: Organization) -> Organization:
        """Store it with its owner; or, where an equal call has done that before, give that one's."""
        async with self._units_of_work.writing_everywhere() as unit:
            earlier = await call.earlier_result(unit)
            if earlier is not None:
                return await _created_before(unit, earlier)
            await unit.organizations.add(organization)
            await unit.memberships.add(Membership(organization.id, viewer.user_id, Role.OWNER, organization.created_at))
            await unit.audit.add(_created(Actor.of(viewer), organization))
            if await call.claim(unit, organization.id, organization.id, organization.created_at):
                await unit.commit()
                return organization
            return await _created_before(unit, await call.earlier_result(unit))


def _issued(user: User, membership: Membership, earlier_role: Role | None, key: ApiKey) -> Iterator[AuditRecord]:
    """What the operator has done by issuing a key."""
    now = key.created_at
    if earlier_role is None or not earlier_role.covers(membership.role):
        action = AuditAction.MEMBER_JOINED if earlier_role is None else AuditAction.MEMBER_UPDATED
        told: dict[str, Json] = {"by": "operator", "role": membership.role.value}
        yield AuditRecord.of_person(OPERATOR, key.organization_id, user, action, now, **told)
    yield AuditRecord.of_api_key(OPERATOR, key, AuditAction.API_KEY_CREATED, now)


def _created(actor: Actor, organization: Organization) -> AuditRecord:
    action, at = AuditAction.ORGANIZATION_CREATED, organization.created_at
    return AuditRecord.of_organization(actor, organization, action, at, {"slug": organization.slug})


async def _created_before(unit: UnitOfWork, organization_id: UUID | None) -> Organization:
    organization = None if organization_id is None else await unit.organizations.find(organization_id)
    if organization is None:
        raise NotFound.organization()
    return organization
