//! What people should know whatever they ask: the api takes their words and cannot act on them (law L13).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use cdn::secret::TokenKind;
use http::HeaderValue;

use crate::app::App;
use crate::auth;

/// Response header to people: what is the matter with the api itself, in one line of ASCII.
pub const HEADER: &str = "windlass-notice";

/// The layer around all routes: a person's answer says so while clusters keep assignments that are older than what is
/// wanted. Nobody else is told, since the reason names the store.
pub(super) async fn add(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // The one route that answers who is not known.
    let is_open = request.uri().path() == "/v1/openapi.json";
    let is_persons = !is_open
        && auth::bearer(request.headers()).is_some_and(|token| token.starts_with(TokenKind::Admin.prefix()));
    let mut answer = next.run(request).await;
    if is_persons
        && answer.status().is_success()
        && let Some(why) = app.passes.failing()
    {
        let plain: String =
            why.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect();
        if let Ok(value) = HeaderValue::from_str(&plain) {
            answer.headers_mut().insert(HEADER, value);
        }
    }
    answer
}
