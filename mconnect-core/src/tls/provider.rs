//! The cryptography that TLS is done with: ring's, named wherever it is used, so that no default of the process counts.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// Returns the one that all of this crate shares.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}
