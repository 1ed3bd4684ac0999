//! Runs functions as processes, over Lambda's runtime interface.

/// The processes that run, and what was prepared for them. Not saved.
#[derive(Debug, Default)]
pub struct Runtime {}

impl Runtime {
    /// Ends all processes.
    #[expect(clippy::unused_async, reason = "processes take their time to end")]
    pub async fn shutdown(&self) {}

    /// Ends all processes and forgets them; the runtime goes on.
    #[expect(clippy::unused_async, reason = "processes take their time to end")]
    pub async fn reset(&self) {}
}
