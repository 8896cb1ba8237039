"""The bot answers who mentions it in Slack, in the thread and once, also where it is killed and started again."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from domain.entities.user import Role
from sandbox.slack_workspaces import FIRST_MESSAGE
from tests.examples.running_bot import running_bot
from tests.gql.server import TetherServer, running_tether
from tests.gql.test_webhooks import SLACK_SECRETS, connected, send, slack_event, working
from tests.sandbox_server import SandboxServer

pytestmark = pytest.mark.anyio

TEAM: Final = "T0BOTSTEAM"


async def mention(server: TetherServer, event_id: str, text: str) -> None:
    """Slack reports that somebody has mentioned the bot in a thread."""
    event: dict[str, Any] = {
        "type": "app_mention",
        "user": "U061F7AUR",
        "text": f"<@U0LAN0Z89> {text}",
        "ts": f"1764145{event_id[-3:]}.000200",
        "thread_ts": FIRST_MESSAGE["ts"],
        "channel": FIRST_MESSAGE["channel"],
    }
    assert (await send(server, slack_event(event_id, event, team=TEAM))).status_code == 202


async def answers(server: TetherServer) -> Counter[str]:
    """What was written in the thread, and how often."""
    messages = (await server.sandbox.slack_workspace(TEAM))["messages"]
    return Counter(message["text"] for message in messages if message.get("thread_ts") == FIRST_MESSAGE["ts"])


async def test_every_mention_is_answered_once(
    sandbox: SandboxServer, encryption_key: str, sqlite_url: str, tmp_path: Path
) -> None:
    secrets = {"TETHER_SLACK_SIGNING_SECRETS": SLACK_SECRETS[0]}
    async with running_tether(sqlite_url, sandbox, encryption_key, **secrets) as server, working(server):
        client = await server.member()
        token = await server.credential("slack", account={"id": TEAM, "login": "acme", "name": "Acme"})
        connection_id = await connected(server, client, key=f"team:{TEAM}", token=token)
        place = tmp_path / "place.txt"
        environment = {
            "TETHER_URL": server.url,
            "TETHER_TOKEN": await server.token("acme", "bot@acme.example", Role.MEMBER),
            "TETHER_ORGANIZATION": await server.organization_id(),
            "BOT_PLACE": str(place),
        }

        async with running_bot(environment) as bot:
            began = (await bot.prints("Following after")).split()[-1]
            await mention(server, "Ev001", "<!channel> ship it")  # nobody is called by the answer
            await bot.prints(": SUCCEEDED")
        assert await answers(server) == {"<@U061F7AUR> Noted: ship it": 1}

        await mention(server, "Ev002", "and test it")
        place.write_text(began, "utf-8")  # as if it had been killed before it could keep its place
        async with running_bot(environment) as bot:
            assert began in await bot.prints("Following after")
            again = await bot.prints(": SUCCEEDED")
            missed = await bot.prints(": SUCCEEDED")
            assert again != missed
            paused = {"connectionId": connection_id, "status": "INACTIVE"}
            await client.mutate("updateConnectionStatus", "connection { id }", **paused)
            await mention(server, "Ev003", "while it is paused")
            await bot.prints(": slack.reply_in_thread")

            await client.mutate("updateConnectionStatus", "connection { id }", **paused | {"status": "ACTIVE"})
            another = await server.credential("slack", account={"id": TEAM, "login": "acme", "name": "Acme"})
            await connected(server, client, key=f"team:{TEAM}", token=another, name="The same workspace")
            await mention(server, "Ev004", "tell both")
            await bot.prints(": SUCCEEDED")
            await bot.prints("evt_")
        assert await answers(server) == {
            "<@U061F7AUR> Noted: ship it": 1,
            "<@U061F7AUR> Noted: and test it": 1,
            "<@U061F7AUR> Noted: tell both": 1,
        }
