//! What a route can answer instead of what was asked for: RFC 9457 problems, each with a stable code, and in `detail` what
//! to do next.

use axum::response::{IntoResponse, Response};
use cdn::wire::Problem;
use http::{HeaderValue, StatusCode, header};

use crate::db;

tokio::task_local! {
    /// The id of the request that this task answers.
    pub(crate) static REQUEST: String;
}

/// A request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401: no credential, or one that is not known.
    #[error("not authenticated")]
    Unauthorized(Why),
    /// 403: a credential that may not do this.
    #[error("not allowed")]
    Forbidden(Why),
    /// 404: no such thing, or none that this credential may know of.
    #[error("not found")]
    NotFound(Why),
    /// 409, or 412 where a condition of the request does not hold.
    #[error("conflict")]
    Conflict(Why),
    /// 400, 413 or 422: the request itself.
    #[error("invalid request")]
    Invalid(Why),
    /// 429, 503 or 507, to be tried again after some seconds.
    #[error("try again later")]
    Later(Why, u64),
    /// 500, or 507 where no room is left.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// A code for programs and a sentence for people: why, and the next step.
#[derive(Debug)]
pub struct Why {
    status: StatusCode,
    code: &'static str,
    detail: String,
    number: Option<u64>,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

fn why(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Why {
    Why { status, code, detail: detail.into(), number: None }
}

impl Error {
    pub(crate) fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Unauthorized(why(StatusCode::UNAUTHORIZED, code, detail))
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Forbidden(why(StatusCode::FORBIDDEN, code, detail))
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::NotFound(why(StatusCode::NOT_FOUND, "not_found", detail))
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict(why(StatusCode::CONFLICT, code, detail))
    }

    /// A report with a number below the last one's: the site's clock went back.
    pub(crate) fn outdated_report(known: u64) -> Self {
        let detail =
            "A report with a higher number was taken before; send it again with a number above `number`.";
        Self::Conflict(Why { number: Some(known), ..why(StatusCode::CONFLICT, "report_outdated", detail) })
    }

    pub(crate) fn stale(detail: impl Into<String>) -> Self {
        Self::Conflict(why(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", detail))
    }

    pub(crate) fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(why(StatusCode::UNPROCESSABLE_ENTITY, code, detail))
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::Invalid(why(StatusCode::BAD_REQUEST, "malformed", detail))
    }

    pub(crate) fn no_method() -> Self {
        let detail = "This route has other methods; `GET /v1/openapi.json` lists them.";
        Self::Invalid(why(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail))
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("The body is larger than the {limit} bytes that are read here; send less.");
        Self::Invalid(why(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail))
    }

    pub(crate) fn slow_down(detail: impl Into<String>) -> Self {
        Self::Later(why(StatusCode::TOO_MANY_REQUESTS, "slow_down", detail), 10)
    }

    pub(crate) fn unavailable(detail: impl Into<String>, seconds: u64) -> Self {
        Self::Later(why(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail), seconds)
    }

    /// What waited to be written found no room.
    pub(crate) fn full() -> Self {
        Self::Later(why(StatusCode::INSUFFICIENT_STORAGE, FULL.0, FULL.1), 60)
    }

    /// The problem that is shown.
    pub(crate) fn problem(&self) -> Problem {
        let (status, code, detail, number) = match self {
            Self::Unauthorized(why)
            | Self::Forbidden(why)
            | Self::NotFound(why)
            | Self::Conflict(why)
            | Self::Invalid(why)
            | Self::Later(why, _) => (why.status, why.code, why.detail.clone(), why.number),
            Self::Database(error) => {
                let (status, code, detail) = database(error);
                (status, code, detail, None)
            }
        };
        let request_id = REQUEST.try_with(Clone::clone).unwrap_or_default();
        let title = self.to_string();
        Problem { code: code.to_owned(), title, status: status.as_u16(), detail, request_id, number }
    }
}

/// The code and the detail of a 507.
const FULL: (&str, &str) = (
    "database_full",
    "The database's disk is full; reads and polls go on. Free space there, then try again.",
);

/// What a failed database means for whoever asked. The error itself goes to the log: it may show parts of rows.
fn database(error: &sqlx::Error) -> (StatusCode, &'static str, String) {
    if db::is_full(error) {
        return (StatusCode::INSUFFICIENT_STORAGE, FULL.0, FULL.1.to_owned());
    }
    if matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed) {
        let detail = "The database cannot be reached; polls go on. Try again.";
        return (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail.to_owned());
    }
    let detail = "The log has the cause under this request id.".to_owned();
    (StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if let Self::Database(error) = &self {
            tracing::error!(request_id = problem.request_id, error = %chain(error), "the database failed");
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(problem)).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Self::Later(_, seconds) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
