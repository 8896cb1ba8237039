"""Development's sample: the organization acme with two members, and connections to a simulated GitHub and Slack.

`create_sample` is for `tether sample`, `find_founder` for `tether serve`, whose GraphiQL is signed in as the founder.
"""

from dataclasses import dataclass
from typing import Final

from domain.credential_secrets import TokenSecret
from domain.entities.identifiers import new_id
from domain.entities.organization import Organization
from domain.entities.user import Membership, Role, User, Viewer
from domain.errors import InvalidInput, NameTaken, ServiceFailure
from domain.secret import Secret
from gql.bootstrap import Tether
from gql.settings import Environment

SLUG: Final = "acme"
FOUNDER: Final = "founder@acme.example"
FOUNDER_NAME: Final = "Acme Founder"
COLLEAGUE: Final = "developer@acme.example"
COLLEAGUE_NAME: Final = "Acme Developer"


async def create_sample(tether: Tether) -> list[str]:
    """Create what is missing of it, and tell what there is then, a line each. Raises ServiceUnavailable."""
    organization, founder = await _organization(tether)
    viewer = Viewer(founder.id, founder.name, Role.OWNER)
    return [f"Sample: {organization.name} ({SLUG}), founded by {FOUNDER}"] + [
        f"Sample: {await _connect(tether, viewer, organization, each)}" for each in _CONNECTIONS
    ]


async def find_founder(tether: Tether) -> User | None:
    """Who is signed in where a developer opens GraphiQL.

    None in production, and where the founder doesn't own the sample organization; nothing is created then.
    """
    if tether.settings.environment is not Environment.DEVELOPMENT:
        return None
    async with tether.units_of_work.reading_everywhere() as unit:
        organization = await unit.organizations.find_by_slug(SLUG)
        founder = await unit.users.find_by_email(FOUNDER)
        if organization is None or founder is None:
            return None
        owns = await unit.memberships.role_of(founder.id, organization.id) is Role.OWNER
    return founder if owns else None


@dataclass(frozen=True, slots=True)
class _SampleConnection:
    service: str
    name: str
    token: Secret
    api_url_variable: str


# The sandbox knows these tokens from its start; nobody else does.
_CONNECTIONS: Final = (
    _SampleConnection("github", "GitHub", Secret("sandbox-github-acme"), "TETHER_GITHUB_API_URL"),
    _SampleConnection("slack", "Slack", Secret("sandbox-slack-acme"), "TETHER_SLACK_API_URL"),
)


async def _organization(tether: Tether) -> tuple[Organization, User]:
    now = tether.clock()
    async with tether.units_of_work.writing_everywhere() as unit:
        organization = await unit.organizations.find_or_add(
            Organization.create(id=new_id(), slug=SLUG, name="Acme Inc.", now=now)
        )
        founder = await unit.users.find_or_add(User(new_id(), FOUNDER_NAME, FOUNDER, None, now))
        await unit.memberships.add(Membership(organization.id, founder.id, Role.OWNER, now))
        colleague = await unit.users.find_or_add(User(new_id(), COLLEAGUE_NAME, COLLEAGUE, None, now))
        await unit.memberships.add(Membership(organization.id, colleague.id, Role.MEMBER, now))
        await unit.commit()
    return organization, founder


async def _connect(tether: Tether, viewer: Viewer, organization: Organization, sample: _SampleConnection) -> str:
    """Make the connection, once: one that was renamed or deleted since is left so."""
    try:
        connection = await tether.manager.create_connection(
            viewer,
            organization.id,
            sample.service,
            TokenSecret(sample.token),
            name=sample.name,
            idempotency_key=f"sample-{sample.service}-{organization.id}",
        )
    except NameTaken:
        return f"another connection is called {sample.name}, so none was made"
    except InvalidInput:  # it was made once, with this idempotency key
        return f"the connection {sample.name} was deleted, and stays so"
    except ServiceFailure as failure:
        return (
            f"no connection to {sample.name} was made: {failure.message} "
            f"The sample needs the sandbox, to which {sample.api_url_variable} doesn't seem to lead."
        )
    return f"connection {connection.name}, {connection.status.lower()}"
