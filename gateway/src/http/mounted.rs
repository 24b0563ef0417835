//! Routes that know their paths: what has a page can be nobody's other path.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use crate::app::App;

/// Routes and their paths.
#[derive(Debug, Default)]
pub struct Mounted {
    router: Router<Arc<App>>,
    paths: Vec<&'static str>,
}

impl Mounted {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more.
    #[must_use]
    pub fn route(mut self, path: &'static str, methods: MethodRouter<Arc<App>>) -> Self {
        self.router = self.router.route(path, methods);
        self.paths.push(path);
        self
    }

    /// These and others.
    #[must_use]
    pub fn merge(mut self, mut others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.paths.append(&mut others.paths);
        self
    }

    /// The same with something around all of them.
    #[must_use]
    pub fn within(mut self, layer: impl FnOnce(Router<Arc<App>>) -> Router<Arc<App>>) -> Self {
        self.router = layer(self.router);
        self
    }

    /// The paths, as they were written.
    pub fn paths(self) -> Vec<&'static str> {
        self.paths
    }

    /// What serves them.
    pub fn router(self) -> Router<Arc<App>> {
        self.router
    }
}
