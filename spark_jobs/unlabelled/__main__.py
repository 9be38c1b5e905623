"""Engine `python -m spark_jobs.unlabelled REQUEST.json`: groups of values and rules, by Spark."""

from pyspark.sql import DataFrame, SparkSession

from conf.associating import support_of
from conf.exchange import clean_up_on_sigterm, progress, serve
from conf.manifest import Manifest, read_manifest
from conf.segmenting import NoSegmentsError, vocabularies
from conf.selecting import ItemSet, Rule, Segments, UnlabelledRequest, UnlabelledResult
from spark_jobs.session import kept, session
from spark_jobs.sources.far import plain_url
from spark_jobs.unlabelled.rules import seek
from spark_jobs.unlabelled.segments import segments


def look(spark: SparkSession, request: UnlabelledRequest, manifest: Manifest) -> UnlabelledResult:
    """Group the values of each column named, and seek rules about the label, in the train rows.

    Raises:
        FranklinError: there is no such column, or its values cannot be grouped.

    """
    names = vocabularies(manifest, request.segments)
    found: list[Segments] = []
    notes: list[str] = []
    rules: list[Rule] = []
    sets: list[ItemSet] = []
    with kept(_train(spark, request.feature_set, manifest)) as rows:
        for column in request.segments:
            progress(0, 0, "", f"groups of {column}")
            try:
                found += segments(spark, rows, manifest, column, names[column], seed=request.seed)
            except NoSegmentsError as error:
                notes.append(str(error))
        if request.rules:
            progress(0, 0, "", f"rules about {manifest.label.name}")
            mined = seek(rows, manifest, names, support=support_of(manifest.splits["train"].rows))
            rules, sets, notes = mined.rules, mined.sets, [*notes, *mined.notes]
    notes += [f"{each.column}, {each.method}: {each.note}" for each in found if each.note]
    return UnlabelledResult(segments=found, rules=rules, sets=sets, notes=notes)


def run(request: UnlabelledRequest) -> UnlabelledResult:
    """Open a session, and look.

    Raises:
        FranklinError: as `look` does, or Spark is not there.

    """
    manifest = read_manifest(request.feature_set)
    vocabularies(manifest, request.segments)  # before Spark starts
    with session(request.spark) as spark:
        return look(spark, request, manifest)


def _train(spark: SparkSession, folder: str, manifest: Manifest) -> DataFrame:
    paths = [plain_url(f"{folder}/{file.path}") for file in manifest.splits["train"].files]
    return spark.read.parquet(*paths)


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(UnlabelledRequest, run)
