//! `GET /v1/openapi.json`: the description of all routes, made of the handlers themselves.

use std::sync::OnceLock;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, Required, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::unchanged;

/// The description.
pub fn openapi() -> OpenApi {
    let mut description = super::all().into_openapi();
    description.info = InfoBuilder::new()
        .title("Windlass")
        .version("v1")
        .description(Some(
            "The control plane: which digest should each cluster run. No manifest byte passes through it. \
             Every error is a problem (RFC 9457).",
        ))
        .build();
    for item in description.paths.paths.values_mut() {
        item.get.iter_mut().for_each(say_tags);
    }
    let components = description.components.get_or_insert_default();
    for (name, what) in [
        ("admin", "A person or CI: `wla_...`"),
        ("cluster", "A cluster: `wlc_...`"),
        ("publisher", "A publisher of one project: `wlp_...`"),
        ("join", "Somebody with a join token: `wlj_...`"),
    ] {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(bearer));
    }
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    description
}

/// Every read is tagged in one place, and so is its description; the poll says more of its own.
fn say_tags(read: &mut Operation) {
    if read.responses.responses.contains_key("304") {
        return;
    }
    let text = ObjectBuilder::new().schema_type(Type::String);
    let held = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The ETag of the last answer"))
        .schema(Some(text));
    read.parameters.get_or_insert_default().push(held.build().into());
    let same = ResponseBuilder::new().description("Nothing new").build();
    read.responses.responses.insert("304".to_owned(), same.into());
}

/// An error answer (RFC 9457); `cdn::wire::Problem` is what programs read it as.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used: the type lies in cdn, which knows nothing of OpenAPI")]
pub(crate) struct Problem {
    /// Stable, for programs.
    code: String,
    /// What is the matter, one line.
    title: String,
    /// The HTTP status.
    status: u16,
    /// Why, and what to do next.
    detail: Option<String>,
    /// Names the request in the api's log.
    request_id: Option<String>,
    /// With `report_outdated`: the number of the last report, which the next one's has to be above.
    number: Option<u64>,
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "anyone", responses((status = 200, body = Object)))]
pub(crate) async fn shown(headers: HeaderMap) -> Response {
    // Made once, and its tag with it: anyone may ask, as often as they like (law L5).
    static SHOWN: OnceLock<(HeaderValue, Bytes)> = OnceLock::new();
    let (tag, body) = SHOWN.get_or_init(|| {
        let body = serde_json::to_vec(&openapi()).map_or_else(|_| Bytes::new(), Bytes::from);
        (unchanged::constant_tag(&body), body)
    });
    unchanged::constant(&headers, tag, body)
}
