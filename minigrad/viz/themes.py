"""Colours, shapes and scales. Kinds differ in colour and in shape, and scales in lightness."""

from __future__ import annotations

from dataclasses import dataclass

# Okabe and Ito's colours, lightened: told apart by colour-blind readers, and by shape in grey.
LIGHT = {"input": "#cfe8f7", "parameter": "#fbe3b5", "buffer": "#f6d5e4", "constant": "#eeeeee",
         "op": "#ffffff", "view": "#ffffff", "module": "#e6e0f3", "output": "#cdeadb",
         "loss": "#bfe3e0", "error": "#f4a6a0"}
DARK = {"input": "#1d4e6b", "parameter": "#6b4e12", "buffer": "#6b2f4e", "constant": "#444444",
        "op": "#33363b", "view": "#33363b", "module": "#433a5c", "output": "#1f5a40",
        "loss": "#12555c", "error": "#8c2f28"}
PRINT = {"input": "#f2f2f2", "parameter": "#e3e3e3", "buffer": "#d4d4d4", "constant": "#ffffff",
         "op": "#ffffff", "view": "#ffffff", "module": "#ededed", "output": "#f2f2f2",
         "loss": "#e3e3e3", "error": "#c8c8c8"}
SHAPES = {"input": "ellipse", "parameter": "note", "buffer": "cylinder", "constant": "plaintext",
          "op": "box", "view": "box", "module": "box3d", "output": "octagon",
          "loss": "doubleoctagon", "error": "box"}
STYLES = {"op": "filled,rounded", "view": "filled,rounded,dashed"}


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: nodes by kind, page, text, boxes (two in turn), lines."""

    kinds: dict[str, str]
    page: str
    ink: str
    faint: str
    boxes: tuple[str, str]
    line: str
    gradient: str  # the edges of backward
    alarm: str  # what failed
    scale: tuple[str, ...]  # from little to much
    bad: str  # fills of verdicts: wrong, suspicious, good
    doubtful: str
    good: str


THEMES = {
    "light": Theme(LIGHT, "#ffffff", "#1f2328", "#59636e", ("#f4f6f8", "#e9edf1"), "#87919c",
                   "#c2500a", "#c1121f", ("#ffffff", "#e3f1fa", "#c3e1f4", "#9ccded", "#74b8e4"),
                   "#f4a6a0", "#fbe3b5", "#cdeadb"),
    "dark": Theme(DARK, "#16181c", "#eceff2", "#b3bac2", ("#1f2227", "#282c32"), "#7d8590",
                  "#f0975a", "#ff7b72", ("#2a2e34", "#263f50", "#224f69", "#1e5f83", "#19709e"),
                  "#8c2f28", "#6b4e12", "#1f5a40"),
    "print": Theme(PRINT, "#ffffff", "#000000", "#333333", ("#fafafa", "#f0f0f0"), "#555555",
                   "#000000", "#000000", ("#ffffff", "#e9e9e9", "#d3d3d3", "#bdbdbd", "#a6a6a6"),
                   "#b0b0b0", "#d9d9d9", "#ffffff"),
}
