"""Engine `python -m models.unlabelled.look REQUEST.json`: groups of values and rules, on this machine."""

from conf.associating import support_of
from conf.exchange import progress, serve
from conf.manifest import read_manifest
from conf.segmenting import NoSegmentsError, vocabularies
from conf.selecting import ItemSet, Rule, Segments, UnlabelledRequest, UnlabelledResult
from models.candidates.reading import read_rows
from models.unlabelled.rules import seek
from models.unlabelled.segments import segments


def look(request: UnlabelledRequest) -> UnlabelledResult:
    """Group the values of each column named, and seek rules about the label, in the train rows.

    Raises:
        FranklinError: there is no such column, or its values cannot be grouped.

    """
    manifest = read_manifest(request.feature_set)
    names = vocabularies(manifest, request.segments)
    rows, label = read_rows(request.feature_set, manifest, ["train"]), manifest.label.name
    total = len(request.segments) + request.rules
    found: list[Segments] = []
    notes: list[str] = []
    for done, column in enumerate(request.segments):
        progress(done, total, "looks", f"groups of {column}")
        try:
            found += segments(rows, column, names[column], request.seed, label=label)
        except NoSegmentsError as error:
            notes.append(str(error))
    rules: list[Rule] = []
    sets: list[ItemSet] = []
    if request.rules:
        progress(total - 1, total, "looks", f"rules about {label}")
        mined = seek(rows, names, support=support_of(len(rows)), label=label)
        rules, sets, notes = mined.rules, mined.sets, [*notes, *mined.notes]
    notes += [f"{each.column}, {each.method}: {each.note}" for each in found if each.note]
    return UnlabelledResult(segments=found, rules=rules, sets=sets, notes=notes)


if __name__ == "__main__":
    serve(UnlabelledRequest, look)
