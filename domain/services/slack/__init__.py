"""Slack: one workspace, or one Enterprise organization, per token."""

from domain.services.slack.service import Slack

__all__ = ["Slack"]
