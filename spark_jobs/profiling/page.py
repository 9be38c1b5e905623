"""The profile as a page for people: one HTML file without scripts, and nothing to load."""

from html import escape
from string import Template

from conf.manifest import SPLITS, SplitName
from conf.profile import ColumnProfile, NumberProfile, Profile, WordProfile
from spark_jobs.profiling.drawing import bars, histogram, moment, number
from spark_jobs.profiling.shift import NOTABLE, shifted

NAMED = 12  # shifted columns in the first lines
OTHERS: tuple[SplitName, ...] = ("validation", "test")
PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title><style>
body { font: 14px/1.45 system-ui, sans-serif; color: #22262b; background: #fff; margin: 24px; }
h1 { font-size: 20px; margin: 0 0 4px; } p { margin: 4px 0; max-width: 1100px; color: #555b63; }
table { border-collapse: collapse; margin-top: 16px; }
th, td { text-align: left; vertical-align: top; padding: 8px 18px 8px 0; border-bottom: 1px solid #e6e8eb; }
th { font-weight: 600; position: sticky; top: 0; background: #fff; border-bottom: 2px solid #22262b; }
th.n, td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { max-width: 220px; overflow-wrap: anywhere; } small { color: #8a8f98; display: block; }
svg { font: 10px system-ui, sans-serif; fill: #555b63; display: block; } tr.label { background: #f6f8fa; }
.shifted { color: #d1495b; font-weight: 600; } tr.moved td:first-child { box-shadow: inset 4px 0 #d1495b; }
td:first-child, th:first-child { padding-left: 12px; }
svg .train { fill: #b9cde4; } svg .validation, svg .test { fill: none; stroke-width: 1.5; }
svg .validation { stroke: #8a8f98; } svg .test { stroke: #d1495b; }
i { display: inline-block; width: 14px; height: 10px; margin: 0 4px 0 12px; }
i.train { background: #b9cde4; } i.validation, i.test { height: 3px; vertical-align: middle; background: #8a8f98; }
i.test { background: #d1495b; }
</style></head><body>
<h1>$title</h1>
<p>$rows</p><p>$shifts</p>
<p><i class="train" style="margin-left:0"></i>train<i class="validation"></i>validation<i class="test"></i>test</p>
<table><thead><tr><th>column</th><th class="n">missing</th><th class="n">distinct</th><th>values</th><th>train</th>
<th class="n">shift to<br>validation</th><th class="n">shift to<br>test</th></tr></thead>
<tbody>
$lines
</tbody></table></body></html>
""")


def page(profile: Profile, title: str) -> str:
    """Return the page under its `title`: a line for each column, the label last."""
    shifts = {name: {split: shifted(profile, name, split) for split in OTHERS} for name in profile.columns}
    lines = [_line(profile, name, shifts[name], label=name == list(profile.columns)[-1]) for name in profile.columns]
    counts = ", ".join(f"{split} {rows:,}" for split, rows in profile.rows.items())
    about = f"Rows: {counts}. Missing and moments are of all rows"
    if any(profile.sampled.values()):
        sampled = ", ".join(f"{profile.sampled[split]:,}" for split in SPLITS)
        about += f"; quantiles and histograms of {sampled} sampled ones."
    return PAGE.substitute(title=escape(title), rows=about, shifts=_shifts(shifts), lines="\n".join(lines))


def _shifts(shifts: dict[str, dict[SplitName, tuple[float, bool]]]) -> str:
    """Say which columns have shifted from train to test, the most first."""
    notable = sorted((-index, name) for name, of in shifts.items() for index, much in [of["test"]] if much)
    if not notable:
        return f"No column shifts notably from train to test (population stability index from {NOTABLE} on)."
    named = ", ".join(f"{escape(name)} {-index:.2f}" for index, name in notable[:NAMED])
    more = f" and {len(notable) - NAMED} more" if len(notable) > NAMED else ""
    told = f'Shifted from train to test: <span class="shifted">{named}{more}</span>'
    return f"{told} (population stability index; from {NOTABLE} on moderate, from 0.25 on large)."


def _line(profile: Profile, name: str, shifts: dict[SplitName, tuple[float, bool]], *, label: bool) -> str:
    column = profile.columns[name]
    marks = " ".join([*(["label"] if label else []), *(["moved"] if shifts["test"][1] else [])])
    missing = "<br>".join(_share(column.splits[split].missing, profile.rows[split]) for split in SPLITS)
    cells = [
        f'<td class="name"><b>{escape(name)}</b><small>{column.kind}{", label" if label else ""}</small></td>',
        f'<td class="n">{missing}</td>',
        f'<td class="n">{_distinct(column)}</td>',
        f"<td>{_picture(column, profile)}</td>",
        f"<td>{_words(column)}</td>",
        *(f'<td class="n{" shifted" * much}">{index:.3f}</td>' for index, much in shifts.values()),
    ]
    return f'<tr class="{marks}">{"".join(cells)}</tr>'


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if part else "0"


def _distinct(column: ColumnProfile) -> str:
    if not isinstance(column, NumberProfile | WordProfile):
        return "-"
    return "<br>".join(f"{column.splits[split].distinct:,}" for split in SPLITS)


def _picture(column: ColumnProfile, profile: Profile) -> str:
    if isinstance(column, NumberProfile):
        return histogram(column)
    return bars(column.values, column.splits, profile.rows) if isinstance(column, WordProfile) else ""


def _words(column: ColumnProfile) -> str:
    """Say what the values of train are like."""
    if not isinstance(column, NumberProfile):
        return ""
    train, say = column.splits["train"], moment if column.kind == "time" else number
    if train.mean is None:
        return "no values"
    median = train.quantiles[3] if train.quantiles else None
    told = f"{say(train.low)} … {say(train.high)}<br>median {say(median)}<br>mean {say(train.mean)}"
    return told if column.kind == "time" else f"{told} ± {number(train.deviation)}"
