"""Tokens that need no making: `sandbox-github-17` and `sandbox-slack-17` work, for each whole number.

Each is of the account with that number. They are made at each call and kept nowhere, so that a bench may have hundreds
of thousands; that is also why their quotas are always full. One that was made by the control API goes before. Asked by
state.py.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime

from sandbox.ready_made import github_token, slack_token
from sandbox.tokens import GitHubAccount, GitHubToken, Quota, SlackTeam, SlackToken, Token


def numbered_token(name: str, now: datetime) -> Token | None:
    """None where the name isn't one of these."""
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return None
    number = int(found["number"])
    return _github(name, number, now) if found["service"] == "github" else _slack(name, number, now)


def _github(name: str, number: int, now: datetime) -> GitHubToken:
    account = GitHubAccount(id=number, login=f"account-{number}", name=f"Account {number}")
    return replace(_GITHUB, name=name, account=account, quota=_full(_GITHUB, now))


def _slack(name: str, number: int, now: datetime) -> SlackToken:
    team = SlackTeam(id=f"T{number}", login=f"workspace-{number}", name=f"Workspace {number}")
    return replace(_SLACK, name=name, account=team, quota=_full(_SLACK, now))


def _full(token: Token, now: datetime) -> Quota:
    return Quota.full(token.quota.limit, token.quota.window_seconds, now)


_NUMBERED = re.compile(r"sandbox-(?P<service>github|slack)-(?P<number>[1-9][0-9]{0,8})")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_GITHUB = github_token("", _ANY_TIME)
_SLACK = slack_token("", _ANY_TIME)
