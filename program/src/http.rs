//! The one HTTP client of all programs. What it adds to the client below it: every answer is bounded in bytes, in
//! time and in least rate (law L5); credentials never follow a redirect to another place (FAULTS C2); nothing is retried,
//! so that exactly one layer - the caller - retries; no error says a credential, a query or a user name (law L10).
//!
//! [`Client::fetch`] gives a whole small answer; [`Client::open`] gives an [`Answer`] to read piece by piece.
//! A status is never an error here: 304, 404 and 503 mean different things to different callers.

mod answer;
mod client;
mod error;
mod meter;
mod redirect;
mod request;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

pub use answer::{Answer, Response, capacity, looks_like_html};
pub use client::{Client, ClientError, HttpArgs, Settings};
pub use error::{Bound, Cause, FetchError};
pub use meter::{Bounds, MinRate};
pub use request::Request;
