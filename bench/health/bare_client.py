"""Asks the sandbox what checks ask, by a bare httpx2 client: `python -m bench.health.bare_client URL SECONDS TASKS`.

Started by `scenarios.py`, to measure the worker by. It keeps as many connections open as it has tasks, reads every
answer, refuses what isn't a 200, and does nothing else: no probes, no database.
"""

import asyncio
import itertools
import sys
import time

import httpx2
import uvloop

from bench.health.done import Done


async def ask(url: str, seconds: float, tasks: int) -> Done:
    """For so many seconds. Each task asks the two services in turn, each time by another token."""
    numbers, calls = itertools.count(1), 0
    limits = httpx2.Limits(max_connections=tasks, max_keepalive_connections=tasks)
    async with httpx2.AsyncClient(trust_env=False, limits=limits, timeout=10) as client:

        async def go_on(end: float) -> None:
            nonlocal calls
            while time.perf_counter() < end:
                number = next(numbers)
                if number % 2:
                    headers = {**_GITHUB, "Authorization": f"Bearer sandbox-github-{number}"}
                    answer = await client.get(f"{url}/github/api/user", headers=headers)
                else:
                    headers = {**_SLACK, "Authorization": f"Bearer sandbox-slack-{number}"}
                    answer = await client.post(f"{url}/slack/api/auth.test", headers=headers)
                answer.raise_for_status()
                calls += 1

        begin, spent = time.perf_counter(), time.process_time()
        await asyncio.gather(*(go_on(begin + seconds) for _ in range(tasks)))
        return Done(calls, time.perf_counter() - begin, (time.process_time() - spent) * 1_000)


_GITHUB = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_SLACK = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}


def main() -> None:
    url, seconds, tasks = sys.argv[1:]
    print(uvloop.run(ask(url, float(seconds), int(tasks))).written())


if __name__ == "__main__":
    main()
