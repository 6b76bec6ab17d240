//! The place of TLS in a build without it.

use super::Setup;

impl Setup {
    pub(super) fn with_some_tls(self) -> Self {
        self
    }
}
