//! Sources: where manifests come from.

use cdn::ProjectName;
use cdn::wire::{Described, Source as Place};
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
    pub spec: Described<Place>,
    /// When it was made.
    pub created_at: Timestamp,
}
