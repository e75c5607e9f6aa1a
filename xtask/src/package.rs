//! Packages as they would be published.

use anyhow::Result;

/// Placeholder.
pub fn run() -> Result<()> {
    Ok(())
}
