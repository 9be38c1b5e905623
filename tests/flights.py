"""Features of flights that take most of the time, for tests that are about something else."""

from spark_jobs.sources.flight_past import OTHERS, PLANE, WAITING
from spark_jobs.sources.flight_weather import WEATHER

PAST = [*WEATHER, *PLANE, *OTHERS, *WAITING]
WITHOUT_PAST = f"data.ignore=[{','.join(PAST)}]"
