//! The writing side of the content plane: S3 and directory.
