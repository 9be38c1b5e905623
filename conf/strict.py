"""What every model of the configuration and of the contracts is built on."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from conf.errors import closest

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LOOKS = {  # what a pattern stands for, in words for a person
    "name": (r"^\w[\w.-]*$", "of letters, digits and _.-"),
    "size": (r"^[1-9]\d*[mg]$", "like 512m or 4g"),
    "address": (r"^[^\s:]+:\d{1,5}$", "HOST:PORT"),
    "function": (r"^[\w.]+:\w+$", "module:function"),
}
Name = Annotated[str, Field(pattern=LOOKS["name"][0], description=f"{LOOKS['name'][1]}: it names folders and models")]
Size = Annotated[str, Field(pattern=LOOKS["size"][0])]
Address = Annotated[str, Field(pattern=LOOKS["address"][0])]
Function = Annotated[str, Field(pattern=LOOKS["function"][0])]


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
