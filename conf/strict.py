"""What every model of the configuration and of the contracts is built on."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from conf.errors import closest

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

    @model_validator(mode="before")
    @classmethod
    def _knows_its_keys(cls, given: Any) -> Any:
        for key in given if isinstance(given, dict) else ():
            if key not in cls.model_fields:
                guess = closest(str(key), cls.model_fields)
                hint = f"did you mean '{guess}'?" if guess else f"known: {', '.join(cls.model_fields)}"
                raise ValueError(f"unknown key '{key}': {hint}")
        return given
