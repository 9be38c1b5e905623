"""Land days of a dataset, and no more: `python -m spark_jobs.land REQUEST.json`, or by `spark-submit`."""

from uuid import uuid4

from conf.errors import FranklinError
from conf.exchange import LandRequest, LandResult, clean_up_on_sigterm, serve
from spark_jobs.landing import landed
from spark_jobs.session import session
from spark_jobs.sources.days import by_day, wanted
from spark_jobs.sources.faults import naming_damage
from spark_jobs.sources.reading import located


@naming_damage()
def land(request: LandRequest) -> LandResult:
    """Land the days that the request wants and that are not there as they are now.

    Raises:
        FranklinError: The dataset has no days, or they can't be read.

    """
    data = request.data
    with session(request.spark, f"{request.days}/.unpacked-{uuid4().hex}") as spark:
        files = data.source == "table" and not data.of_database
        table = located(spark, data) if files else None
        days = by_day(table.files, data.day) if table and data.day else {}
        if not table or not days:
            raise FranklinError(
                f"{data.name} has no folders of days to go over; say data.day=COLUMN for COLUMN=YYYY-MM-DD"
            )
        landed(spark, data, table, request.days)
    return LandResult(days=wanted(days, data.window))


if __name__ == "__main__":
    clean_up_on_sigterm()
    serve(LandRequest, land)
