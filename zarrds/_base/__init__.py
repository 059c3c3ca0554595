"""What all other packages may use: settings, aliases of types, irregular chunk lengths, the logger, looks."""
