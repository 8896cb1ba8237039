"""LanguageModelChooser: has a language model of the operator's choose, behind an HTTP endpoint that the settings name.

It may only choose among the commands that can be run. Whatever else it says is ignored, and words decide: the answer
says so. `docs/commands.md` documents request and answer.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.command_chooser import CommandChooser, TextChoice
from domain.entities.health import Json
from domain.http import HttpAnswer, HttpClient, HttpFault, HttpLimits
from domain.secret import Secret
from domain.services.commands import Command

LIMITS: Final = HttpLimits(
    connect_timeout_seconds=2.0, read_timeout_seconds=5.0, deadline_seconds=5.0, body_bytes=64 * 1024
)
"""Of calls to the endpoint: a person or a bot waits for the answer."""


@dataclass(frozen=True, slots=True)
class LanguageModelChooser:
    """`http` may reach the endpoint, and needs to reach nothing else. `otherwise` chooses where the model can't."""

    http: HttpClient
    url: str
    token: Secret | None
    otherwise: CommandChooser

    async def choose(self, text: str, commands: Sequence[Command], left: Collection[str]) -> TextChoice:
        by_words = await self.otherwise.choose(text, commands, left)
        offered = [command for command in commands if command.id in left]
        if not offered:
            return by_words
        said = _read(await self._ask(text, offered), {command.id for command in offered})
        if isinstance(said, str):
            return TextChoice(by_words.fits, by_words.confidence, f"{_UNUSED.format(said)} {by_words.remark}")
        if said.command_id is None:
            return TextChoice(by_words.fits, 0.0, "The operator's language model found no command that fits.")
        others = {id_: min(fit, _LESS) for id_, fit in by_words.fits.items() if id_ != said.command_id}
        return TextChoice({said.command_id: 1.0, **others}, said.confidence, "The operator's language model chose it.")

    async def _ask(self, text: str, offered: Sequence[Command]) -> HttpAnswer | HttpFault:
        question = {
            "text": text,
            "commands": [{"id": each.id, "name": each.name, "description": each.description} for each in offered],
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        return await self.http.request("POST", self.url, headers=headers, body=json.dumps(question).encode())


@dataclass(frozen=True, slots=True)
class _Said:
    command_id: str | None
    confidence: float


def _read(answer: HttpAnswer | HttpFault, offered: Collection[str]) -> _Said | str:
    """What the model says, or why that can't be used, without a word of its own."""
    if isinstance(answer, HttpFault):
        return answer.message
    if answer.status != 200:
        return f"it answered with status {answer.status}"
    body = answer.json()
    if not isinstance(body, Mapping) or "commandId" not in body:
        return "its answer isn't of the documented form"
    command_id, confidence = body["commandId"], _confidence(body.get("confidence", 1.0))
    if confidence is None:
        return "its answer isn't of the documented form"
    if command_id is None:
        return _Said(None, confidence)
    if not isinstance(command_id, str) or command_id not in offered:
        return "it named none of the commands that it was to choose from"
    return _Said(command_id, confidence)


def _confidence(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


_LESS: Final = 0.9
_UNUSED: Final = "The operator's language model wasn't used: {}."
