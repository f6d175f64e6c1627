//! Every route, its handler and its bodies, one file a noun. `openapi.json` is made from the same list.
//!
//! | who | routes |
//! |---|---|
//! | agents (`wlc_`, `wlj_`) | `GET /v1/desired`, `POST /v1/report`, `POST /v1/join`, `POST /v1/renew` |
//! | publishers (`wlp_`) | `GET /v1/wanted`, `POST /v1/releases`, `POST /v1/publish-status` |
//! | people (`wla_`) | `GET /v1/clusters`, `GET\|PATCH\|DELETE /v1/clusters/{cluster}`, `POST /v1/clusters/{cluster}/approve\|revoke\|recover` |
//! | | `GET /v1/sources`, `GET\|PUT\|DELETE /v1/sources/{project}/{name}` |
//! | | `GET /v1/services`, `GET\|PUT\|DELETE /v1/services/{project}/{name}`, `POST .../undo\|pin\|resume`, `GET .../releases` |
//! | | `GET /v1/global-services`, `GET\|PUT\|DELETE /v1/global-services/{project}/{name}` |
//! | | `GET /v1/releases/{digest}` |
//! | | `GET\|POST /v1/removals`, `GET /v1/holds`, `POST /v1/holds/{digest}/approve` |
//! | | `GET\|POST /v1/join-tokens`, `POST /v1/join-tokens/{id}/revoke` |
//! | | `GET\|POST /v1/publishers`, `POST /v1/publishers/{id}/revoke` |
//! | | `GET /v1/audit`, `GET /v1/whoami` |
//! | anyone | `GET /v1/openapi.json` |
//!
//! Lists are [`page::Page`]s with `?limit=&cursor=`. Errors are `cdn::wire::Problem`.

pub mod audit;
pub mod clusters;
pub mod holds;
pub mod join_tokens;
pub mod page;
pub mod publishers;
pub mod releases;
pub mod removals;
pub mod services;
pub mod sources;
pub mod whoami;
