//! What every program needs at its edge: settings, logs, health and metrics, shutdown, a bounded HTTP client.
