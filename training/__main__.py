"""Command line: ``python -m training inspect|train|evaluate|calibrate|export|quantize|card``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dubai_landcover_plugin.protocol.errors import LandCoverError

from .commands.evaluate import add_commands
from .commands.export import add_export
from .commands.inspect import add_inspect
from .commands.train import add_train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except LandCoverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (OSError, MemoryError) as error:
        print(f"error: {type(error).__name__}: {error}. A run goes on with train --resume.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; train --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Train land-cover models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_inspect(commands)
    add_train(commands)
    add_commands(commands)
    add_export(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
