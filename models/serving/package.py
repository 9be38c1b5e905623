"""The logged model's files: artifacts, the code that it needs and no more, pinned requirements."""

import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import Model
from mlflow.models.model import ModelInfo

from conf.exchange import RegisterRequest
from conf.manifest import Manifest
from conf.networks import NETWORKS, AnyModel, Selected
from models.candidates import module_of
from models.serving.closure import ROOT, closure
from models.serving.model import example, signature

REQUIRED = ("mlflow", "torch", "numpy", "pandas", "pydantic", "fsspec")
LOGGED = "models.serving.model"


def needed(model: AnyModel) -> tuple[list[Path], list[str]]:
    """Files of franklin below `closure.ROOT` that serving a model needs, and names of distributions."""
    if not isinstance(model, Selected) or model.candidate is None:
        return closure([LOGGED])[0], list(REQUIRED)
    made_of = [each.candidate for each in model.members if each.candidate not in NETWORKS]
    modules = [module_of(name) for name in (model.candidate, *made_of)]
    files, others = closure([LOGGED, "models.candidates.answering", *modules])
    return files, [*REQUIRED, *(name for name in others if name not in REQUIRED and not name.startswith("mlflow-"))]


def requirements(names: Iterable[str] = REQUIRED) -> list[str]:
    """Exact versions as installed here, without the name of a build such as `+cpu`."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def log(request: RegisterRequest, manifest: Manifest, folder: Path) -> ModelInfo:
    """Log the model into the run of `request.track`, which stays open; `folder` is for what is made on the way."""
    mlflow.set_tracking_uri(request.track.uri)
    run = mlflow.get_run(request.track.run_id)
    mlflow.set_experiment(experiment_id=run.info.experiment_id)
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    (folder / "model.json").write_text(request.model.model_dump_json(), encoding="utf-8")
    files, distributions = needed(request.model)
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
        code_paths=_code(folder / "code", files),
        signature=signature(manifest),
        input_example=example(manifest),
        pip_requirements=requirements(distributions),
    )
    return logged


def _code(folder: Path, files: Iterable[Path]) -> list[str]:
    """Copy the modules that serving needs; returns the packages."""
    for file in files:
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return sorted(str(package) for package in folder.iterdir())
