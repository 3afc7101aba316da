"""Trained networks over HTTP and WebSocket: requests, streams with their state, the page that explains."""
