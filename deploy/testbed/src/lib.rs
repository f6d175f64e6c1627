//! The real parts that tests run against: Kubernetes, S3, PostgreSQL, a CDN; knows nothing of ours.
