"""What can be done at GitHub: one file for each command. Composed by service.py."""

from domain.services.command_set import CommandSet
from domain.services.github.api import GitHubApi
from domain.services.github.calls import GitHubCalls
from domain.services.github.commands.comment import Comment
from domain.services.github.commands.create_issue import CreateIssue
from domain.services.github.commands.create_pull_request import CreatePullRequest
from domain.services.github.commands.dispatch_workflow import DispatchWorkflow
from domain.services.github.commands.list_repositories import ListRepositories
from domain.services.github.commands.read_file import ReadFile
from domain.services.github.commands.rest import GitHubRest
from domain.services.github.installations import PERMISSION_LEVELS
from domain.services.github.scopes import SCOPES, covered_by


def github_commands(api: GitHubApi, calls: GitHubCalls) -> CommandSet:
    rest = GitHubRest(api, calls)
    handlers = (
        Comment(rest),
        CreateIssue(rest),
        CreatePullRequest(rest),
        DispatchWorkflow(rest),
        ListRepositories(rest),
        ReadFile(rest),
    )
    return CommandSet(handlers, scopes=SCOPES, covered_by=covered_by, permission_levels=PERMISSION_LEVELS)
