"""Where StoreConfigs come from: given, asked for, or watched."""
