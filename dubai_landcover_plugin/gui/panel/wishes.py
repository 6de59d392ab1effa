"""What the panel wants from the engine beside samples, the most urgent first."""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.session import (
    NoOptions,
    ProbeRequest,
    SaveModel,
    SuggestRequest,
    ViewRequest,
)


@dataclass
class Wishes:
    """One request of each kind that waits; a newer one replaces it."""

    save: SaveModel | None = None
    view: ViewRequest | None = None
    suggest: SuggestRequest | None = None
    probe: ProbeRequest | None = None
    agreement: NoOptions | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__dataclass_fields__)

    def take(self) -> tuple[str, Request] | None:
        """Return name and request of the most urgent message, which waits no more; None if there is none."""
        for name in self.__dataclass_fields__:
            found = getattr(self, name)
            if found is not None:
                setattr(self, name, None)
                return name, found
        return None

    def put_back(self, name: str, request: Request) -> None:
        """Ask again for what was not finished, unless there is a newer request."""
        if getattr(self, name, request) is None:
            setattr(self, name, request)
