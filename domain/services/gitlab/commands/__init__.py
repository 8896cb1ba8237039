"""What can be done at GitLab: one file for each command. Composed by service.py."""

from domain.services.command_set import CommandSet
from domain.services.gitlab.commands.comment import Comment
from domain.services.gitlab.commands.create_issue import CreateIssue
from domain.services.gitlab.commands.create_merge_request import CreateMergeRequest
from domain.services.gitlab.commands.list_projects import ListProjects
from domain.services.gitlab.commands.read_file import ReadFile
from domain.services.gitlab.commands.rest import GitLabRest
from domain.services.gitlab.commands.run_pipeline import RunPipeline
from domain.services.gitlab.scopes import SCOPES, covered_by


def gitlab_commands(rest: GitLabRest) -> CommandSet:
    handlers = (
        Comment(rest),
        CreateIssue(rest),
        CreateMergeRequest(rest),
        ListProjects(rest),
        ReadFile(rest),
        RunPipeline(rest),
    )
    return CommandSet(handlers, scopes=SCOPES, covered_by=covered_by)
