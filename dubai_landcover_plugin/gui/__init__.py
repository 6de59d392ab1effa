"""Windows of the plugin: the settings page and the set-up of the engine."""
