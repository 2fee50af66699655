//! What is offered over HTTP.

mod health;

use axum::Router;
use highwater::Instance;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What all requests share.
#[derive(Clone, Debug)]
pub struct HttpState {
    /// The databases.
    pub instance: Arc<Instance>,
    /// Fired when the server stops.
    pub shutdown: CancellationToken,
}

/// All routes.
pub fn router(state: HttpState) -> Router {
    Router::new().merge(health::routes()).with_state(state)
}

/// Answers requests until the server stops, and finishes those that have begun.
pub async fn serve(listener: TcpListener, state: HttpState) {
    let shutdown = state.shutdown.clone();
    let serving = axum::serve(listener, router(state)).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(e) = serving.await {
        tracing::error!(error = %e, "HTTP ended");
    }
}
