"""What can be done at Slack: one file for each command. Composed by service.py."""

from collections.abc import Callable
from datetime import datetime

from domain.services.command_set import CommandSet
from domain.services.slack.channels import SlackChannels
from domain.services.slack.commands.add_reaction import AddReaction
from domain.services.slack.commands.join_channel import JoinChannel
from domain.services.slack.commands.list_channels import ListChannels
from domain.services.slack.commands.methods import SlackMethods
from domain.services.slack.commands.post_message import PostMessage
from domain.services.slack.commands.reply_in_thread import ReplyInThread
from domain.services.slack.scopes import SCOPES
from domain.services.slack.web_api import WebApi


def slack_commands(api: WebApi, web_url: str, clock: Callable[[], datetime], channels: SlackChannels) -> CommandSet:
    methods = SlackMethods(api, web_url, clock)
    handlers = (
        AddReaction(methods),
        JoinChannel(methods),
        ListChannels(channels),
        PostMessage(methods),
        ReplyInThread(methods),
    )
    return CommandSet(handlers, scopes=SCOPES, covered_by=lambda granted: granted)
