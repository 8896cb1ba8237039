"""WordChooser: what a text asks for, by the commands that there are; and how sure it is."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.command_chooser import WordChooser
from domain.command_selection import LEAST_CONFIDENCE
from domain.http import HttpClient
from domain.services.commands import Command
from domain.services.github import GitHub
from domain.services.gitlab import GitLab
from domain.services.slack import Slack

pytestmark = pytest.mark.anyio


def _commands() -> Sequence[Command]:
    http, clock = HttpClient(), lambda: datetime.now(UTC)
    services = [
        GitHub(http, "https://api.github.example", "https://github.example", clock),
        Slack(http, "https://slack.example/api", "https://slack.example", clock),
        GitLab(http, "https://gitlab.example/api/v4", "https://gitlab.example", clock),
    ]
    return [command for service in services for command in service.commands or ()]


COMMANDS = _commands()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("open an issue about the broken login", {"github.create_issue", "gitlab.create_issue"}),
        ("Create an issue!", {"github.create_issue", "gitlab.create_issue"}),
        ("post a message in general", {"slack.post_message"}),
        ("reply in the thread, please", {"slack.reply_in_thread"}),
        ("run the pipeline", {"gitlab.run_pipeline"}),
        ("start the deploy workflow", {"github.dispatch_workflow"}),
        ("read the README file", {"github.read_file", "gitlab.read_file"}),
        ("react with thumbs up", {"slack.add_reaction"}),
        ("join the channel", {"slack.join_channel"}),
        ("list repositories", {"github.list_repositories"}),
        ("make a new pull request on github", {"github.create_pull_request"}),
        ("merge request for the fix", {"gitlab.create_merge_request"}),
    ],
)
async def test_what_people_say_is_found(text: str, meant: set[str]) -> None:
    choice = await WordChooser().choose(text, COMMANDS)
    assert {id_ for id_, fit in choice.fits.items() if fit == 1.0} == meant
    assert choice.confidence >= LEAST_CONFIDENCE
    assert choice.remark.startswith("The words that decided: ")


@pytest.mark.parametrize("text", ["", "pizza tomorrow", "the weather is nice, list it", "channel", "who is it"])
async def test_what_names_no_command_is_no_choice(text: str) -> None:
    choice = await WordChooser().choose(text, COMMANDS)
    assert choice.confidence < LEAST_CONFIDENCE


@given(st.text(max_size=300), st.randoms(use_true_random=False))
async def test_whatever_is_said_gives_the_same_answer_for_the_same_commands(text: str, chance: object) -> None:
    shuffled = list(COMMANDS)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = await WordChooser().choose(text, COMMANDS), await WordChooser().choose(text, shuffled)
    assert list(one.fits) == list(other.fits)
    assert one.remark == other.remark
    assert abs(one.confidence - other.confidence) < 0.01
    assert 0 <= one.confidence <= 1
    assert all(0 < fit <= 1 for fit in one.fits.values())
    assert list(one.fits.values()) == sorted(one.fits.values(), reverse=True)
