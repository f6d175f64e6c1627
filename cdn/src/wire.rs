//! What two programs say to each other over HTTP: the agent's and the publisher's bodies and headers. What people and
//! CI say to the api lies beside its handlers.

mod agent;
mod described;
mod publisher;

pub use agent::{
    Inline, JoinAnswer, JoinRequest, JoinState, POLL_AFTER, POLL_AFTER_BOUNDS, POLL_INTERVAL, PollAnswer,
    Problem, RenewAnswer, SEQ_HEADER, START_HEADER,
};
pub use described::{Described, Unknown};
pub use publisher::{
    DirectorySource, GitSource, HelmRenderer, Newest, Nothing, Outcome, PublishStatus, Renderer, Source,
    Wanted, WantedService,
};
