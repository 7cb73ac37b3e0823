"""What all answers and requests share, and the names of enumerations."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

ForgeName = Literal["plain", "github", "gitlab"]
RoleName = Literal["viewer", "editor", "reviewer", "admin", "operator"]
IdRuleName = Literal["field", "stem", "path"]
ReviewName = Literal["off", "required"]
SyncStateName = Literal["synced", "pending", "proposed", "conflict"]


class Answer(BaseModel):
    """Base of what the API says."""


class Request(BaseModel):
    """Base of what the API takes: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")
