"""What services report, in one shape: followed over sockets and streams, filtered, and as a part of its event."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.gql.client import Client
from tests.gql.server import TetherServer, uuid_of
from tests.gql.streams import open_stream
from tests.gql.test_webhooks import GITHUB_SECRET, connected, hooked, send, slack_event, working
from tests.gql.waiting import eventually

__all__ = ["hooked"]

pytestmark = pytest.mark.anyio

SHAPE = """
  type action actor subject text url repositoryName channel thread deliveryId
  service { id } connection { id } repository { fullName defaultBranch }
"""
FOLLOW = f"""
subscription ($id: ID!, $after: String, $filter: ServiceEventFilter) {{
  serviceEvents(organizationId: $id, after: $after, filter: $filter) {{ eventId cursor occurredAt {SHAPE} }}
}}
"""
INSTALLATION = 701
MENTION = {
    "type": "app_mention",
    "user": "U061F7AUR",
    "text": '<@U0LAN0Z89> open an issue:\nthe "login" is broken',
    "ts": "1515449522.000016",
    "thread_ts": "1515449500.000001",
    "channel": "C123ABC456",
}
REACTION = {
    "type": "reaction_added",
    "user": "U061F7AUR",
    "reaction": "eyes",
    "item": {"type": "message", "channel": "C9", "ts": "1515449522.000016"},
}


@asynccontextmanager
async def two_connections(server: TetherServer, client: Client) -> AsyncIterator[dict[str, str]]:
    """Their ids, one of GitHub with the repository acme-bot/api and one of Slack, while webhooks are processed."""
    token = await server.credential("github", repositories=[{"id": 7001, "name": "api"}])
    github = await connected(server, client, key=f"installation:{INSTALLATION}", service="github", token=token)
    await client.mutate("syncRepositories", "complete", connectionId=github)
    slack = await connected(server, client)
    async with working(server):
        yield {"github": github, "slack": slack}


async def comment(server: TetherServer, delivery: str, repository: str) -> None:
    """GitHub reports a comment on an issue."""
    name = repository.partition("/")[2]
    url = f"{server.sandbox.github_url}/{repository}"
    body = json.dumps(
        {
            "action": "created",
            "installation": {"id": INSTALLATION},
            "sender": {"login": "octocat"},
            "repository": {"id": 7001, "name": name, "full_name": repository, "html_url": url},
            "issue": {"number": 3, "title": "Login", "html_url": f"{url}/issues/3"},
            "comment": {"body": "Please fix this.", "html_url": f"{url}/issues/3#issuecomment-1"},
        }
    ).encode()
    digest = hmac.new(GITHUB_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "issue_comment",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={digest}",
    }
    assert (await server.http.post("/webhooks/github", content=body, headers=headers)).status_code == 202


async def head(client: Client) -> str:
    answer = await client.data('{ organization(by: {slug: "acme"}) { eventCursor } }')
    return str(answer["organization"]["eventCursor"])


async def reported(client: Client, number: int) -> Sequence[Mapping[str, Any]]:
    """As soon as there are so many, the events of webhooks, oldest first."""

    async def come() -> Sequence[Mapping[str, Any]] | None:
        query = f"""{{ organization(by: {{slug: "acme"}}) {{ events(first: 50, filter: {{types: [WEBHOOK_RECEIVED]}}) {{
          nodes {{ id cursor occurredAt sequence serviceEvent {{ eventId cursor occurredAt {SHAPE} }} }} }} }} }}"""
        nodes = (await client.data(query))["organization"]["events"]["nodes"]
        return list(reversed(nodes)) if len(nodes) == number else None

    return await eventually(come)


async def test_services_tell_in_one_shape_what_is_replayed_and_then_live(hooked: TetherServer) -> None:
    client = await hooked.member()
    async with two_connections(hooked, client) as ids:
        start = await head(client)
        await comment(hooked, "d1", "Acme-Bot/api")
        await reported(client, 1)
        async with hooked.subscribe(client, FOLLOW, id=await hooked.organization_id(), after=start) as followed:
            first = await followed.event()
            await client.mutate("updateConnection", "connection { id }", connectionId=ids["slack"], name="Not told")
            await send(hooked, slack_event("Ev1", MENTION))
            second = await followed.event()

        url = f"{hooked.sandbox.github_url}/Acme-Bot/api"
        nothing = dict.fromkeys(("repository", "repositoryName", "channel", "thread"))
        found = [event["serviceEvent"] for event in await reported(client, 2)]
        impact = "query ($id: ID!) { node(id: $id) { ... on ServiceConnection { impact { webhooksReceived } } } }"
        assert (await client.data(impact, id=ids["github"]))["node"] == {"impact": {"webhooksReceived": 1}}
    assert [first, second] == found
    assert {name: first[name] for name in first if name not in ("eventId", "cursor", "occurredAt")} == {
        **nothing,
        "service": {"id": "github"},
        "connection": {"id": ids["github"]},
        "deliveryId": "d1",
        "type": "issue_comment",
        "action": "created",
        "actor": "octocat",
        "subject": "#3",
        "text": "Please fix this.",
        "url": f"{url}/issues/3#issuecomment-1",
        "repositoryName": "Acme-Bot/api",
        "repository": {"fullName": "acme-bot/api", "defaultBranch": "main"},
    }
    assert {name: second[name] for name in second if name not in ("eventId", "cursor", "occurredAt", "url")} == {
        **nothing,
        "service": {"id": "slack"},
        "connection": {"id": ids["slack"]},
        "deliveryId": "Ev1",
        "type": "app_mention",
        "action": "created",
        "actor": MENTION["user"],
        "subject": MENTION["ts"],
        "text": MENTION["text"],
        "channel": MENTION["channel"],
        "thread": MENTION["thread_ts"],
    }


async def test_what_is_not_wanted_is_left_out_and_whoever_comes_again_goes_on(hooked: TetherServer) -> None:
    client = await hooked.member()
    organization_id = await hooked.organization_id()
    async with two_connections(hooked, client) as ids:
        start = await head(client)
        await comment(hooked, "d1", "acme-bot/api")
        await comment(hooked, "d2", "acme-bot/Unknown")
        await send(hooked, slack_event("Ev1", MENTION))
        await send(hooked, slack_event("Ev2", REACTION))
        events = await reported(client, 4)
        told = {
            event["id"]: event["serviceEvent"]["repositoryName"] or event["serviceEvent"]["channel"] for event in events
        }
        assert all(
            (event["id"], event["cursor"], event["occurredAt"])
            == tuple(event["serviceEvent"][name] for name in ("eventId", "cursor", "occurredAt"))
            for event in events
        )
        await send(hooked, slack_event("Ev3", {"type": "team_rename"}))  # which all that lets Slack through ends with
        [*_, last] = await reported(client, 5)

    for given, wanted in (
        ({}, {"acme-bot/api", "acme-bot/Unknown", "C123ABC456", "C9"}),
        ({"services": ["slack"]}, {"C123ABC456", "C9"}),
        ({"types": ["issue_comment", "app_mention"]}, {"acme-bot/api", "acme-bot/Unknown", "C123ABC456"}),
        ({"connectionIds": [ids["github"]]}, {"acme-bot/api", "acme-bot/Unknown"}),
        ({"repositories": ["ACME-BOT/unknown", "no/such"]}, {"acme-bot/Unknown"}),
        ({"channels": ["C9"], "services": ["slack", "github"]}, {"C9"}),
    ):
        async with hooked.subscribe(client, FOLLOW, id=organization_id, after=start, filter=given) as followed:
            heard = await followed.events(len(wanted))
        assert {told[event["eventId"]] for event in heard} == wanted
        assert [event["cursor"] for event in heard] == sorted(
            (event["cursor"] for event in heard), key=lambda cursor: int(cursor.rpartition("~")[2])
        )

    later = [event for event in (*events[3:], last) if event["serviceEvent"]["service"]["id"] == "slack"]
    headers = {"Last-Event-ID": events[2]["cursor"]}
    async with open_stream(
        hooked, client.token, FOLLOW, headers=headers, id=organization_id, after=start, filter={"services": ["slack"]}
    ) as stream:
        came = [await stream.event() for _ in later]
    assert [event and event["id"] for event in came] == [event["cursor"] for event in later]


async def test_filters_that_cannot_be_and_strangers_are_refused(hooked: TetherServer) -> None:
    client, organization_id = await hooked.member(), await hooked.organization_id()
    for given in ({"connectionIds": ["github"]}, {"channels": ["C1\0"]}):
        async with hooked.subscribe(
            client, FOLLOW, id=organization_id, after=f"evt~{uuid_of(organization_id)}~1~0", filter=given
        ) as followed:
            await hooked.connect(client)
            assert (await followed.error())[0] == "BAD_USER_INPUT"
    stranger = await hooked.member(organization="globex")
    async with hooked.subscribe(stranger, FOLLOW, id=organization_id) as followed:
        assert (await followed.error())[0] == "FORBIDDEN"
