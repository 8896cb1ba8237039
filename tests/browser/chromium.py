"""A headless Chromium, driven by the DevTools protocol. Used by the tests here and by `make screenshots`.

It reaches this machine only: every other host's name leads nowhere. Each page has cookies and storage of its own.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect

from tests.gql.waiting import eventually

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_START_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 20.0
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
)
# What a key says of itself, for `Page.press`.
_KEYS: Final[dict[str, dict[str, Any]]] = {
    "Tab": {"code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Escape": {"code": "Escape", "windowsVirtualKeyCode": 27},
    " ": {"code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
}
_NAVIGATED: Final = ("Inspected target navigated", "Execution context was destroyed", "Cannot find context")
_CONTROL: Final = 2
_SHIFT: Final = 8


def find_chromium() -> str | None:
    """The program's path; None where none of its names is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Navigated(AssertionError):
    """The page that was asked has made room for another one meanwhile."""


class Page:
    """A tab. `problems`: what its console told as an error, scripts' and workers' alike; `hosts`: whom it asked."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.problems: list[str] = []
        self.hosts: set[str] = set()

    async def open(self, width: int, height: int, scale: float, dark: bool) -> None:
        self._start(self._read())
        context = await self._call("Target.createBrowserContext")
        target = await self._call(
            "Target.createTarget", url="about:blank", browserContextId=context["browserContextId"]
        )
        attached = await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._call(f"{domain}.enable")
        await self._call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        await self.prefer("dark" if dark else "light")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def prefer(self, scheme: str) -> None:
        """As somebody whose system is `light` or `dark`, and without movement."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        await self._call("Emulation.setEmulatedMedia", features=features)

    async def without_scripts(self) -> None:
        await self._call("Emulation.setScriptExecutionDisabled", value=True)

    async def goto(self, url: str) -> None:
        answer = await self._call("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of JavaScript, awaited; it has to be one that JSON can say."""
        answer = await self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, _thrown(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait for it to come true, on whichever page the tab has come to by then."""

        async def true() -> bool:
            try:
                return bool(await self.evaluate(f"Boolean({expression})"))
            except Navigated:
                return False

        await eventually(true)

    async def click(self, selector: str) -> None:
        """With the mouse, in the middle of what the selector finds."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found})?.checkVisibility()")
        x, y = await self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({found}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def press(self, key: str, *, control: bool = False, shift: bool = False) -> None:
        modifiers = _CONTROL * control + _SHIFT * shift
        given = {"key": key, "modifiers": modifiers, **_KEYS[key]}
        if control:
            given.pop("text", None)
        await self._call("Input.dispatchKeyEvent", type="keyDown", **given)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **given)

    async def type(self, text: str) -> None:
        """Into what has the focus."""
        await self._call("Input.insertText", text=text)

    async def screenshot(self) -> bytes:
        """A PNG of what is seen."""
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def _call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session or self._session:
            message["sessionId"] = session or self._session
        answered = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(_CALL_SECONDS):
            answer = await answered
        if "error" in answer:
            said = f"{method}: {answer['error']['message']}"
            raise Navigated(said) if any(sign in said for sign in _NAVIGATED) else AssertionError(said)
        result: dict[str, Any] = answer["result"]
        return result

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            else:
                self._notice(message["method"], message["params"])

    def _notice(self, event: str, told: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.problems.append(_thrown(told["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and told["type"] in {"error", "assert"}:
            self.problems.append(" ".join(str(each.get("value", each.get("description"))) for each in told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.problems.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif event == "Network.requestWillBeSent":
            self.hosts.add(urlsplit(told["request"]["url"]).hostname or "")
        elif event == "Network.webSocketCreated":
            self.hosts.add(urlsplit(told["url"]).hostname or "")
        elif event == "Target.attachedToTarget" and told["targetInfo"]["type"] == "worker":
            for domain in ("Runtime", "Log", "Network"):
                self._start(self._call(f"{domain}.enable", session=told["sessionId"]))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)


class Chromium:
    """A running browser."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def page(
        self, *, width: int = 1280, height: int = 800, scale: float = 1, dark: bool = False
    ) -> AsyncIterator[Page]:
        async with connect(self._url, max_size=None, proxy=None) as socket:
            page = Page(socket)
            try:
                await page.open(width, height, scale, dark)
                yield page
            finally:
                await page.close()


@asynccontextmanager
async def running_chromium(program: str) -> AsyncIterator[Chromium]:
    """Runs it with a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tether-chromium-", ignore_cleanup_errors=True) as profile:
        as_root = ["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            *as_root,
            f"--user-data-dir={profile}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield Chromium(await _address(process, Path(profile) / "DevToolsActivePort"))
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _address(process: asyncio.subprocess.Process, file: Path) -> str:
    async def written() -> list[str] | None:
        assert process.returncode is None, f"Chromium ended with {process.returncode}"
        lines = _lines(file)
        return lines if len(lines) == 2 else None

    port, path = await eventually(written, within_seconds=_START_SECONDS)
    return f"ws://127.0.0.1:{port}{path}"


def _lines(file: Path) -> list[str]:
    return file.read_text("ascii").splitlines() if file.exists() else []


def _thrown(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details["text"])
