"""Windows of the plugin: settings page and the engine's set-up."""
