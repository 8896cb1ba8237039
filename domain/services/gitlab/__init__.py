"""GitLab: gitlab.com, or one that an organization hosts itself."""

from domain.services.gitlab.service import GitLab

__all__ = ["GitLab"]
