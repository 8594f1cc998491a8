//! Which permissions there are: of the resources that are known, and of those that the configuration's routes ask for.

use crate::config::{Api, Dialect};
use crate::token::RESOURCES;
use std::collections::BTreeSet;

/// The permissions that can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue(BTreeSet<String>);

impl Catalogue {
    /// The known ones, and what the routes of these APIs require, as far as it is of their kind.
    pub fn new(apis: &[Api]) -> Self {
        let routes = apis.iter().filter(|api| api.dialect != Dialect::Ocriva).flat_map(|api| &api.routes);
        let asked = routes.flat_map(|route| &route.require.permissions).filter_map(|name| resource(name));
        let resources = RESOURCES.into_iter().chain(asked).chain(["*"]);
        Self(resources.flat_map(|name| [format!("view:{name}"), format!("manage:{name}")]).collect())
    }

    /// Whether there is such a permission.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

fn resource(permission: &str) -> Option<&str> {
    let (verb, resource) = permission.split_once(':')?;
    (matches!(verb, "view" | "manage") && !resource.is_empty()).then_some(resource)
}
