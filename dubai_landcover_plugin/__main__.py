"""``python -m dubai_landcover_plugin`` is the command line."""

from dubai_landcover_plugin.cli.main import main

raise SystemExit(main())
