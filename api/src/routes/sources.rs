//! Sources: where manifests come from. `GET|PUT|DELETE /v1/sources/{project}/{name}`, `GET /v1/sources`. The api never
//! reads one: it tells publishers, whose own rules say what may be rendered.

use cdn::ProjectName;
use cdn::wire::Source as Place;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A registered source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Its project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// Its name within the project, a DNS label.
    pub name: String,
    /// Where it is: `{"git": {"url": ..., "ref": ...}}` or `{"directory": {"path": ...}}`; this alone is the body
    /// of a `PUT`.
    #[schema(value_type = Object)]
    pub spec: Place,
    /// When it was made.
    pub created_at: Timestamp,
}
