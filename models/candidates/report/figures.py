"""Figures of the run folder, laid into the page: nothing in them may touch the page, and nothing come from outside."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

from models.candidates.report.naming import reveals

_SPACES = re.compile(r"\{[^}]*\}")
_LINKED = re.compile(r"url\(#([^)]+)\)")
DROPPED = ("metadata", "script", "foreignObject", "title", "desc")


def inlined(folder: Path, name: str, says: str, mark: str) -> str:
    """Give a figure as SVG for the page: its ids made unique by `mark`, its style kept to itself.

    A figure that is not there is said to be missing: the findings are complete without it.
    """
    path = folder / name
    if not path.is_file():
        return f'<p class="missing">The figure {name} is not in the run folder.</p>'
    root = fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 -- a figure that the contest has drawn
    _clean(root, mark)
    across, down = root.get("width", "400"), root.get("height", "300")
    if "viewBox" not in root.attrib:
        root.set("viewBox", f"0 0 {_units(across)} {_units(down)}")
    for size in ("width", "height", "version", "id"):
        root.attrib.pop(size, None)
    root.attrib |= {"id": mark, "class": "figure", "role": "img", "aria-label": says}
    return tostring(root, encoding="unicode")


def telling(folder: Path, name: str) -> bool:
    """Whether a figure's text says who somebody is; comments count, since matplotlib leaves texts in them alone."""
    path = folder / name
    return path.is_file() and reveals(
        re.sub(r"<style.*?</style>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    )


def _clean(element: Element, mark: str) -> None:
    element.tag = _local(element.tag)
    for key in list(element.attrib):
        value = _LINKED.sub(rf"url(#{mark}-\1)", element.attrib.pop(key))
        short = _local(key)
        if short == "href" and not value.startswith(("#", "data:image/")):
            continue  # nothing is taken from outside
        if short == "href" and value.startswith("#"):
            value = f"#{mark}-{value[1:]}"
        if short.startswith("on"):
            continue
        element.set(short, f"{mark}-{value}" if short == "id" else value)
    if element.tag == "style":
        element.text = f"#{mark} {{ {element.text or ''} }}"
    for child in list(element):
        if _local(child.tag) in DROPPED:
            element.remove(child)
        else:
            _clean(child, mark)


def _local(name: str) -> str:
    return _SPACES.sub("", name)


def _units(length: str) -> float:
    found = re.match(r"[\d.]+", length)
    return float(found[0]) if found else 400.0
