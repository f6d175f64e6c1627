//! The content plane: digests, bundles, documents, signatures, places; pure, no IO.
