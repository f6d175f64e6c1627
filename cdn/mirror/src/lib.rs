//! Serves a directory store over HTTP/1.1 and HTTP/2.
