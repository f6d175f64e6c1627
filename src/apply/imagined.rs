//! `Imagined`: the fleet as a dry run makes it, so that it refuses what the api would refuse: a service whose source is
//! not there, or that waits for itself by way of others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use api::routes::services::{Service, ServiceSpec, cycle};
use api::routes::sources::Source;
use cdn::ServiceName;

use super::documents::{Document, Spec};
use crate::exit::{Exit, Failure};
use crate::server::{Query, Server};

/// Sources by their documents' ids, and services with those that they depend on.
#[derive(Debug, Default)]
pub(super) struct Imagined {
    sources: BTreeSet<String>,
    /// What is there in this dry run alone.
    new: BTreeSet<String>,
    services: BTreeMap<ServiceName, Vec<ServiceName>>,
}

impl Imagined {
    /// What the api has.
    pub(super) async fn read(server: &Server) -> Result<Self> {
        let none = Query::default();
        let sources: Vec<Source> = server.list("/v1/sources", &none).await?;
        let services: Vec<Service> = server.list("/v1/services", &none).await?;
        let source = |source: Source| format!("source/{}/{}", source.project, source.name);
        let service = |service: Service| {
            let on = service.spec.depends_on_names(service.name.project());
            (service.name, on)
        };
        Ok(Self {
            sources: sources.into_iter().map(source).collect(),
            new: BTreeSet::new(),
            services: services.into_iter().map(service).collect(),
        })
    }

    /// Puts a document as the api would, in the order of applying.
    pub(super) fn put(&mut self, document: &Document) -> Result<()> {
        match &document.spec {
            Spec::Cluster(_) => Ok(()),
            Spec::Source(_) => {
                if self.sources.insert(document.id.clone()) {
                    self.new.insert(document.id.clone());
                }
                Ok(())
            }
            Spec::Service(_, spec) => self.service(document, spec),
        }
    }

    fn service(&mut self, document: &Document, spec: &ServiceSpec) -> Result<()> {
        let name = document.service()?;
        let source = format!("source/{}/{}", name.project(), spec.source);
        if !self.sources.contains(&source) {
            return Err(Failure::new(Exit::Failed, format!("{source} does not exist"))
                .why("neither the documents nor the api have it")
                .next("describe it in a document, or correct `source`")
                .into());
        }
        let on = spec.depends_on_names(name.project());
        if cycle(&name, &on, &self.services) {
            return Err(Failure::new(Exit::Failed, "`dependsOn` comes back to the service itself")
                .why("each would wait for the other for ever")
                .next("take one of them out of `dependsOn`")
                .into());
        }
        if self.services.insert(name, on).is_none() {
            self.new.insert(document.id.clone());
        }
        Ok(())
    }

    /// Whether the api can judge a service as it is: what it needs is not of this dry run alone.
    pub(super) fn is_judged_by_the_api(&self, name: &ServiceName, spec: &ServiceSpec) -> bool {
        let project = name.project();
        let on = spec.depends_on_names(project).into_iter().map(|on| format!("service/{on}"));
        let mut needs = on.chain([format!("source/{project}/{}", spec.source)]);
        needs.all(|need| !self.new.contains(&need))
    }
}
