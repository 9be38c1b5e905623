"""How far a day is from public holidays of the United States: people travel around them."""

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar
from pyspark.sql import DataFrame, SparkSession

FIRST, LAST = "1987-01-01", "2050-12-31"


def holiday_distances(spark: SparkSession) -> DataFrame:
    """Return `date`, `days_to_holiday` and `days_since_holiday` (0 on the day itself) for each day 1987 to 2050."""
    days = pd.date_range(FIRST, LAST)
    margin = pd.Timedelta(days=366)
    holidays = USFederalHolidayCalendar().holidays(days[0] - margin, days[-1] + margin).to_numpy()
    at = np.searchsorted(holidays, days.to_numpy())
    following = (holidays[at] - days.to_numpy()) // np.timedelta64(1, "D")
    last = np.searchsorted(holidays, days.to_numpy(), side="right") - 1
    since = (days.to_numpy() - holidays[last]) // np.timedelta64(1, "D")
    frame = pd.DataFrame(
        {"date": days.date, "days_to_holiday": following.astype(float), "days_since_holiday": since.astype(float)}
    )
    return spark.createDataFrame(frame)
