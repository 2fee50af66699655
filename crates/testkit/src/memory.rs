//! Instances that are kept nowhere.

use highwater::{Instance, InstanceOptions, Result, Session};
use std::sync::Arc;

/// An instance that runs no jobs by itself.
///
/// # Errors
/// None but those of starting threads.
pub async fn instance() -> Result<Arc<Instance>> {
    Instance::open(InstanceOptions { scheduler: false, ..InstanceOptions::in_memory() }).await
}

/// A session on an instance of its own, after these statements.
///
/// # Errors
/// That of the first statement that fails.
pub async fn session(setup: &str) -> Result<Session> {
    let mut session = instance().await?.session("postgres", "postgres").await?;
    session.run(setup).await?;
    Ok(session)
}
