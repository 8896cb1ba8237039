"""The chart of `make bench`, a PNG for the docs: processor time a request, of each server and of the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bench.scenarios import Line, Results

_SCALE: Final = 2  # for screens with fine pixels
_WIDTH, _LEFT, _RIGHT, _BAR, _STEP, _TOP = (each * _SCALE for each in (960, 210, 170, 24, 38, 64))
_PAPER, _INK, _FAINT, _SERVER, _DATABASE = "#ffffff", "#1f2430", "#6b7280", "#2f6fed", "#a9c4f7"
_TITLES: Final = ("A page of 50 connections, with the probes of each", "The same page without the probes")


def draw(results: Results, file: Path) -> None:
    """Write the chart as PNG."""
    charts = (results.page, results.lighter_page)
    height = sum(_TOP + _STEP * len(lines) for lines in charts) + _TOP
    image = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(image)
    top = 0
    for title, lines in zip(_TITLES, charts, strict=True):
        _bars(pen, top, title, lines)
        top += _TOP + _STEP * len(lines)
    _legend(pen, top + _TOP // 2)
    image.save(file, optimize=True)


def _bars(pen: ImageDraw.ImageDraw, top: int, title: str, lines: Sequence[Line]) -> None:
    pen.text((_BAR, top + _TOP // 2), title, _INK, _font(17), anchor="lm")
    longest = max(line.figures.together_ms for line in lines)
    for number, line in enumerate(lines):
        middle = top + _TOP + _STEP * number + _BAR // 2
        pen.text((_LEFT - _BAR // 2, middle), line.name, _INK, _font(14), anchor="rm")
        room = (_WIDTH - _LEFT - _RIGHT) / longest
        server = _LEFT + line.figures.server_ms * room
        end = _LEFT + line.figures.together_ms * room
        pen.rectangle((_LEFT, middle - _BAR // 2, server, middle + _BAR // 2), _SERVER)
        pen.rectangle((server, middle - _BAR // 2, end, middle + _BAR // 2), _DATABASE)
        told = f"{line.figures.server_ms:.2f} + {line.figures.database_ms:.2f} ms"
        pen.text((end + _BAR // 3, middle), told, _FAINT, _font(13), anchor="lm")


def _legend(pen: ImageDraw.ImageDraw, middle: int) -> None:
    left = _LEFT
    for colour, text in ((_SERVER, "server"), (_DATABASE, "database")):
        pen.rectangle((left, middle - _BAR // 4, left + _BAR // 2, middle + _BAR // 4), colour)
        pen.text((left + _BAR, middle), text, _FAINT, _font(13), anchor="lm")
        left += _BAR * 5
    pen.text((left, middle), "processor time for one request, in ms; shorter is better", _FAINT, _font(13), anchor="lm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * _SCALE)
