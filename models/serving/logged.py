"""What MLflow runs to load the model: code instead of a pickle, so another Python can read it."""

from mlflow.models import set_model

from models.serving.model import TableModel

set_model(TableModel())
