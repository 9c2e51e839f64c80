//! The configuration: from files to settings.
