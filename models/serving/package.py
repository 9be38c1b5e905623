"""The logged model's files: artifacts, the code that it needs and no more, pinned requirements."""

import shutil
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import Model
from mlflow.models.model import ModelInfo

import conf
import models
from conf.exchange import RegisterRequest
from conf.manifest import Manifest
from models.serving.model import example, signature

REQUIRED = ("mlflow", "torch", "numpy", "pandas", "pydantic", "fsspec")
CONTRACTS = (
    "__init__",
    "errors",
    "strict",
    "kinds",
    "splits",
    "checks",
    "places",
    "data",
    "networks",
    "columns",
    "manifest",
)
CODE = {
    conf: tuple(f"{name}.py" for name in CONTRACTS),
    models: (
        "__init__.py",
        "networks",
        "tensors.py",
        "serving/__init__.py",
        "serving/encode.py",
        "serving/model.py",
        "serving/predict.py",
        "serving/tensors.py",
    ),
}


def requirements() -> list[str]:
    """Exact versions of what serving needs, as installed here, without the name of a build such as `+cpu`."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in REQUIRED]


def log(request: RegisterRequest, manifest: Manifest, folder: Path) -> ModelInfo:
    """Log the model into the run of `request.track`, which stays open; `folder` is for what is made on the way."""
    mlflow.set_tracking_uri(request.track.uri)
    run = mlflow.get_run(request.track.run_id)
    mlflow.set_experiment(experiment_id=run.info.experiment_id)
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    (folder / "model.json").write_text(request.model.model_dump_json(), encoding="utf-8")
    logged: ModelInfo = Model.log(
        artifact_path=None,
        flavor=mlflow.pyfunc,
        name="model",
        run_id=request.track.run_id,
        python_model=str(Path(__file__).with_name("logged.py")),
        artifacts={
            "manifest": str(folder / "manifest.json"),
            "model": str(folder / "model.json"),
            "weights": str(request.weights),
        },
        code_paths=_code(folder / "code"),
        signature=signature(manifest),
        input_example=example(manifest),
        pip_requirements=requirements(),
    )
    return logged


def _code(folder: Path) -> list[str]:
    """Copy the modules that serving needs; returns the packages."""
    for package, names in CODE.items():
        root = Path(package.__path__[0])
        for name in names:
            target = folder / package.__name__ / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (root / name).is_dir():
                shutil.copytree(root / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(root / name, target)
    return [str(folder / package.__name__) for package in CODE]
