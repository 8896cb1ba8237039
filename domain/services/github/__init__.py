"""GitHub: github.com, and GitHub Enterprise Server where the operator names its host."""

from domain.services.github.app import GitHubApp
from domain.services.github.service import GitHub

__all__ = ["GitHub", "GitHubApp"]
