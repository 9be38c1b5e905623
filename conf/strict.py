"""What every model of the configuration and of the contracts is built on."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Name = Annotated[
    str, Field(pattern=r"^\w[\w.-]*$", description="of letters, digits and _.-: it names folders and models")
]


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool | int | float) else value


# What YAML reads as a number or a truth value is written as Spark does.
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | float | bool)]


class Strict(BaseModel):
    """Frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
