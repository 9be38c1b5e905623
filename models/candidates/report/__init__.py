"""The contest's report: one HTML file made of findings alone, and the leaderboard's lines for the terminal."""

from models.candidates.report.leaderboard import Line, leaderboard
from models.candidates.report.naming import TITLES
from models.candidates.report.page import write

__all__ = ["TITLES", "Line", "leaderboard", "write"]
