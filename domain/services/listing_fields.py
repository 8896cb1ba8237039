"""What the commands that list repositories take and give, whichever service they ask."""

from typing import Final

from domain.entities.health import Json
from domain.services.field_lists import ObjectList
from domain.services.fields import Flag, Text, WholeNumber
from domain.services.repository_listing import RemoteRepository

LARGEST_PAGE: Final = 100
FIRST: Final = WholeNumber("first", "How many to list at most.", 1, LARGEST_PAGE, default=30)
NEXT: Final = Text(
    "next", "Where the next page is, to be given as `after`; absent on the last.", "30:2", max_length=2048
)
REPOSITORIES: Final = ObjectList(
    "repositories",
    "The repositories of this page.",
    (
        Text("id", "The service's own id of it, which never changes.", "1296269", required=True),
        Text("fullName", "Its full name.", "acme/api", required=True),
        Text("url", "Where to look at it.", "https://github.com/acme/api", required=True, max_length=2048),
        Text("defaultBranch", "The branch that it shows first; absent where it has none.", "main"),
        Flag("private", "Whether not everybody can see it.", required=True),
        Flag("archived", "Whether nothing in it can be changed.", required=True),
    ),
    max_items=LARGEST_PAGE,
)


def shown(repository: RemoteRepository) -> dict[str, Json]:
    """A repository as these commands give it."""
    branch: dict[str, Json] = {} if repository.default_branch is None else {"defaultBranch": repository.default_branch}
    told: dict[str, Json] = {
        "id": repository.external_id,
        "fullName": repository.full_name,
        "url": repository.url,
        "private": repository.private,
        "archived": repository.archived,
    }
    return told | branch
